/* A filter for the tables of operations. The tabs of a noun have the same rows in the same order: a row is shown in each
 * of them when any of them has all the words that were typed. Without this script everything is shown. */
document.addEventListener("DOMContentLoaded", () => {
  const nouns = [...document.querySelectorAll(".sd-tab-set.operations")].map((tabs) => {
    const tables = [...tabs.querySelectorAll("tbody")].map((body) => [...body.rows]);
    const rows = tables[0].map((_, place) => tables.map((table) => table[place]));
    const texts = rows.map((row) => row.map((each) => each.textContent).join(" ").toLowerCase());
    return { section: tabs.closest("section"), rows, texts };
  });
  if (!nouns.length) return;

  const field = document.createElement("input");
  field.type = "search";
  field.id = "operations-filter";
  field.placeholder = "Filter: an operation, a method, a command or a path";
  field.setAttribute("aria-label", "Filter the operations");
  const count = document.createElement("output");
  count.htmlFor = field.id;
  const box = document.createElement("p");
  box.className = "operations-filter";
  box.append(field, count);
  nouns[0].section.before(box);

  const filter = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const { section, rows, texts } of nouns) {
      const kept = texts.map((text) => words.every((word) => text.includes(word)));
      rows.forEach((row, place) => row.forEach((each) => { each.hidden = !kept[place]; }));
      section.hidden = !kept.some(Boolean);
      shown += kept.filter(Boolean).length;
    }
    count.textContent = words.length ? `${shown} found` : "";
  };
  field.addEventListener("input", filter);
  filter();
});
