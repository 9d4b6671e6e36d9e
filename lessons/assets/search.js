// Material's search worker, with Japanese cut into words on its way in.
//
// Lunr finds whole words, and Japanese puts no spaces between them. The browser knows where they
// are; texts get zero-width spaces there, queries ask for each word's beginning.
(() => {
  "use strict";
  const JAPANESE = /[\u3005\u3040-\u30ff\u3400-\u9fff]+/g; // 々, kana, kanji
  const KANA = /^[\u3040-\u309f]+$/;
  const ENDING = /^([\u3005\u3400-\u9fff]+)[\u3040-\u309f]+$/; // 変える is found by 変
  const BREAK = "\u200b";

  const segmenter = self.Intl?.Segmenter && new Intl.Segmenter("ja", { granularity: "word" });
  const words = run =>
    segmenter ? [...segmenter.segment(run)].map(({ segment }) => segment) : [...run];

  const cut = text =>
    text?.replace(JAPANESE, run => BREAK + words(run).join(BREAK) + BREAK);

  // The index holds all languages; a reader searches in one.
  const [own, ...folders] = location.hash.slice(1).split(";");
  const folderOf = page => folders.find(folder => folder && page.startsWith(folder)) || "";

  function asked(run) {
    const found = words(run);
    const content = found.filter(word => !KANA.test(word)); // particles are everywhere
    const terms = content.length ? content : found;
    return ` ${terms.map(word => `+${word.replace(ENDING, "$1")}*`).join(" ")} `;
  }

  // This listener comes first, so the one of Material's worker gets the texts as they are now.
  addEventListener("message", ({ data: message }) => {
    if (message.data?.docs) {
      message.data.config.lang = ["en"]; // no stemmer of another language is to cut once more
      message.data.docs = message.data.docs.filter(({ location }) => folderOf(location) === own);
      for (const document of message.data.docs) {
        document.title = cut(document.title);
        document.text = cut(document.text);
      }
    } else if (typeof message.data === "string") {
      message.data = message.data.replace(JAPANESE, asked);
    }
  });
  importScripts(`javascripts/workers/${location.search.slice(1)}`);
})();
