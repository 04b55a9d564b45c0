/*
 * Search a built site as its own search page does: the arguments are the folder of the site and the words. For each of
 * them a line of JSON goes out: the pages that were found, the best first, each once, with the title that is shown.
 */
'use strict';

const fs = require('fs');
const path = require('path');
const vm = require('vm');

const [site, ...words] = process.argv.slice(2);
const element = { dataset: { content_root: '' }, childNodes: [], remove() {} };
const page = {
    console, URLSearchParams, setTimeout,
    document: { readyState: 'loading', addEventListener() {}, getElementById: () => element, documentElement: element },
    localStorage: { setItem() {} },
    addEventListener() {}, location: { search: '' },
};
page.window = page;
vm.createContext(page);

const scripts = ['documentation_options', 'doctools', 'sphinx_highlight', 'language_data', 'searchtools'];
const sources = [...scripts.map((name) => path.join('_static', `${name}.js`)), 'searchindex.js'];
vm.runInContext(
    sources.map((name) => fs.readFileSync(path.join(site, name), 'utf8')).join(';\n') + ';\nvar search = Search;', page);

for (const word of words) {
    // The last of the results is the best: the search page takes them from the end.
    const results = page.search._performSearch(...page.search._parseQuery(word)).reverse();
    const found = new Map();
    for (const [name, title] of results) {
        if (!found.has(name)) {
            found.set(name, title);
        }
    }
    console.log(JSON.stringify([...found]));
}
