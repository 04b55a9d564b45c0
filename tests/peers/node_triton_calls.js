/*
 * Run commands of npm's `triton`, and functions of its library, in one process: a JSON object a line comes in, with
 * `argv` or with `call` and `args`, and when the answer is there, a line goes out that begins with a record separator.
 * The first argument is the folder of the packages.
 */
'use strict';

const path = require('path');
const readline = require('readline');

const folder = path.join(process.argv[2], 'triton', 'lib');
const { CLI } = require(path.join(folder, 'cli'));
const triton = require(path.join(folder, 'index'));

const END = '\x1e';

function answer(error) {
    process.stdout.write(END + JSON.stringify(error ? String(error) : null) + '\n');
}

function runCommand(argv) {
    const cli = new CLI();
    cli.main(['node', 'triton'].concat(argv), answer);
}

function runCall(name, args) {
    triton.createClient({
        profile: {
            name: 'env',
            url: process.env.TRITON_URL,
            account: process.env.TRITON_ACCOUNT,
            keyId: process.env.TRITON_KEY_ID
        },
        unlockKeyFn: (client, done) => done()
    }, function (error, client) {
        if (error) {
            answer(error);
            return;
        }
        client.cloudapi[name].apply(client.cloudapi, args.concat(function (callError) {
            client.close();
            answer(callError);
        }));
    });
}

answer(null);
readline.createInterface({ input: process.stdin }).on('line', function (line) {
    const task = JSON.parse(line);
    if (task.argv) {
        runCommand(task.argv);
    } else {
        runCall(task.call, task.args);
    }
});
