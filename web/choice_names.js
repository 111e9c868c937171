// Choices of the pack's lists in the page's language, from the pack's locales. The value in the graph stays what it is:
// the page asks `getOptionLabel` of a list, where it knows of that, for what it shows (older pages show the value).
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";

let texts = {};

function labels(type, name) {
  const language = app.extensionManager?.setting?.get?.("Comfy.Locale");
  return texts[language]?.nodeDefs?.[type]?.inputs?.[name]?.options;
}

app.registerExtension?.({
  name: "MambaPortrait.ChoiceNames",
  async init() {
    try {
      texts = (await (await api.fetchApi("/i18n")).json()) ?? {};
    } catch {
      texts = {}; // a host without translations
    }
  },
  nodeCreated(node) {
    const type = node?.comfyClass ?? "";
    if (!type.startsWith("MambaPortrait")) return;
    for (const widget of node.widgets ?? []) {
      if (widget.type !== "combo" || !widget.options || widget.options.getOptionLabel || !labels(type, widget.name)) continue;
      widget.options.getOptionLabel = (value) => labels(type, widget.name)?.[value] ?? value ?? "";
    }
  },
});
