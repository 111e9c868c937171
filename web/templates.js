// ComfyUI lists every JSON file of our workflows folder as a template. The files in API form are for scripts and cannot be
// opened on the page, so they are removed from the list. Templates of other packs are not changed.
import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";

const PACK = "mamba-portrait";

app.registerExtension({
  name: "MambaPortrait.Templates",
  init() {
    if (typeof api.getWorkflowTemplates !== "function") return;
    const all = api.getWorkflowTemplates.bind(api);
    api.getWorkflowTemplates = async () => {
      const templates = await all();
      for (const [name, files] of Object.entries(templates ?? {})) {
        if (name.toLowerCase().includes(PACK) && Array.isArray(files)) {
          templates[name] = files.filter((file) => !file.endsWith("_api")).sort();
        }
      }
      return templates;
    };
  },
});
