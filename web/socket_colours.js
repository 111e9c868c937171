// A colour for each of the pack's socket types, so that wires can be told apart. It adds to the page's tables of colours,
// where the page has them; a type that a theme colours already keeps the theme's colour.
import { app } from "../../scripts/app.js";

const COLOURS = {
  MAMBA_RENDERER: "#e0a040",
  MAMBA_MOTION_MODEL: "#b08ae0",
  MAMBA_SOURCE: "#5f98d8",
  MAMBA_APPEARANCE: "#58c8d8",
  MAMBA_AUDIO_GLOBAL: "#7fb85a",
  MAMBA_AUDIO_LOCAL: "#b8d858",
  MAMBA_MOTION: "#e060b0",
  MAMBA_FIELD: "#f08098",
  MAMBA_FLOW: "#98a0f0",
  MAMBA_CROP: "#d88a70",
  MAMBA_CONTROL: "#c8c8c8",
  MAMBA_FACE_BOX: "#a8785a",
  MAMBA_FACE_TRACK: "#70b0a0",
  MAMBA_ACTALKER: "#d86a4a",
  MAMBA_ACTALKER_IDENTITY: "#4a88b8",
  MAMBA_ACTALKER_VOICE: "#5aa87a",
  MAMBA_ACTALKER_MOTION: "#b858a0",
};

function add(table) {
  if (!table) return false;
  const bare = Object.entries(COLOURS).filter(([type]) => !table[type]);
  for (const [type, colour] of bare) table[type] = colour;
  return bare.length > 0;
}

function colour() {
  const sockets = add(app.canvas?.default_connection_color_byType); // of the classic page
  const wires = add(app.canvas?.constructor?.link_type_colors);
  if (sockets || wires) app.canvas.setDirty?.(true, true);
}

function style() {
  const rules = Object.entries(COLOURS).map(([type, colour]) => `--color-datatype-${type}: ${colour};`);
  const element = document.createElement("style"); // sockets of Nodes 2.0
  element.textContent = `:root { ${rules.join(" ")} }`;
  document.head?.append(element);
}

function watch() {
  // a change of theme empties the tables, and then changes attributes of the root: style, data-palette-switching
  const observer = new MutationObserver(colour);
  observer.observe(document.documentElement, { attributes: true });
}

app.registerExtension?.({
  name: "MambaPortrait.SocketColours",
  setup() {
    style();
    colour();
    watch();
  },
});
