/*
 * Verify signatures with the package `http-signature`, which CloudAPI itself uses.
 *
 * Reads one JSON case a line: {"method", "url", "headers", "publicKey"}, with header names in lower case and the
 * public key as an OpenSSH line. Writes one JSON verdict a line: {"ok", "keyId", "algorithm", "headers"}, or
 * {"ok": false, "error"} when the header cannot be parsed. The first line tells the version of the package.
 *
 * The package is looked for in SMARTDC_NODE_MODULES (a node_modules directory, or one that has it or is below it),
 * then where node itself looks, NODE_PATH included.
 */
"use strict";

const readline = require("readline");

const paths = process.env.SMARTDC_NODE_MODULES ? [process.env.SMARTDC_NODE_MODULES, __dirname] : [__dirname];

function load(name) {
    return require(require.resolve(name, {paths}));
}

function verdict(request) {
    try {
        const parsed = httpSignature.parseRequest(request);
        return {
            ok: httpSignature.verifySignature(parsed, request.publicKey),
            keyId: parsed.keyId,
            algorithm: parsed.params.algorithm,
            headers: parsed.params.headers,
        };
    } catch (error) {
        return {ok: false, error: `${error.name}: ${error.message}`};
    }
}

function say(answer) {
    process.stdout.write(JSON.stringify(answer) + "\n");
}

let httpSignature;
try {
    httpSignature = load("http-signature");
    say({version: load("http-signature/package.json").version});
} catch (error) {
    say({missing: error.message.split("\n")[0]});
    process.exit();
}
readline.createInterface({input: process.stdin}).on("line", (line) => say(verdict(JSON.parse(line))));
