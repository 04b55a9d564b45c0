/*
 * How the site's search orders the pages that it finds: Sphinx puts this in the place of its own scores, which are kept.
 *
 * Whoever searches for a word wants the page that explains it. So guides come before the reference where both have
 * the word in a heading or a name, and what is about the past or the inside of the library comes last.
 */
var Scorer = {
    objNameMatch: 11,
    objPartialMatch: 6,
    objPrio: { 0: 15, 1: 5, 2: -5 },
    objPrioDefault: 0,
    title: 15,
    partialTitle: 7,
    term: 5,
    partialTerm: 2,

    score([page, , , , score]) {
        if (/^(guides|cookbook)\/|^tutorial$/.test(page)) {
            return score + 2;
        }
        return /^(architecture|changelog|contributing\/.*)$/.test(page) ? score - 12 : score;
    },
};
