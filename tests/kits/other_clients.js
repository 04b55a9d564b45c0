/*
 * List the packages many times, one after the other, with the library of npm's `triton` or `smartdc`, and print how many
 * answers came. The arguments are the folder of the packages, the package and the number of reads; the environment says
 * where the data centre is.
 */
'use strict';

const fs = require('fs');
const path = require('path');

const [folder, name, reads] = process.argv.slice(2);
const library = require(path.join(folder, name));
const where = {
    url: process.env.SDC_URL,
    account: process.env.SDC_ACCOUNT,
    keyId: process.env.SDC_KEY_ID
};

function count(read, left, answers) {
    if (left === 0) {
        process.stdout.write(answers + '\n', function () {
            process.exit(0);
        });
        return;
    }
    read(function (error) {
        count(read, left - 1, error ? answers : answers + 1);
    });
}

if (name === 'triton') {
    library.createClient({
        profile: { name: 'env', ...where },
        unlockKeyFn: (client, done) => done()
    }, function (error, client) {
        if (error) {
            throw error;
        }
        count((done) => client.cloudapi.listPackages(done), Number(reads), 0);
    });
} else {
    const client = library.createClient({
        ...where,
        noCache: true,
        logLevel: 'fatal',
        sign: library.privateKeySigner({
            user: where.account,
            keyId: where.keyId,
            key: fs.readFileSync(path.join(process.env.HOME, '.ssh', 'id_rsa'), 'utf8')
        })
    });
    count((done) => client.listPackages(done), Number(reads), 0);
}
