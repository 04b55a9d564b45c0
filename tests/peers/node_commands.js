/*
 * Run commands of npm packages one after the other in one process, each as if it had the process for itself: loading
 * their modules takes far longer than what they do. The argument is the descriptor from which lines are read, each of
 * them the JSON of a command: `argv`, its script and its arguments, and `environment`. When a command has ended, a line
 * of JSON goes out: its exit code, and what it wrote to its standard output and standard error.
 *
 * A command has ended when node has nothing left to wait for, which is when a process of its own would have ended.
 */
'use strict';

const fs = require('fs');
const Module = require('module');
const path = require('path');

const ORDERS = Number(process.argv[2]);
const EXIT = new Error('a command has called process.exit');
const written = { out: '', err: '' };
let status = null;
let exited = false;
let pending = '';

function capture(stream, name) {
    stream.write = function (chunk, encoding, callback) {
        if (!exited) {
            written[name] += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
        }
        const done = typeof encoding === 'function' ? encoding : callback;
        if (done) {
            process.nextTick(done);
        }
        return true;
    };
}

/* End a command: a process that ends takes its connections with it. */
function end(code) {
    status = exited ? status : code;
    exited = true;
    process._getActiveHandles().forEach(function (handle) {
        if (handle !== process.stdout && handle !== process.stderr && handle !== process.stdin && handle.destroy) {
            handle.destroy();
        }
    });
}

/* Wait for a line; null is the end. */
function readOrder() {
    const chunk = Buffer.alloc(65536);
    while (!pending.includes('\n')) {
        const count = fs.readSync(ORDERS, chunk);
        if (count === 0) {
            return null;
        }
        pending += chunk.toString('utf8', 0, count);
    }
    const line = pending.slice(0, pending.indexOf('\n'));
    pending = pending.slice(line.length + 1);
    return JSON.parse(line);
}

/* Change the environment itself: node asks the system for some of it, such as the home. */
function setEnvironment(environment) {
    Object.keys(process.env).forEach(function (name) {
        delete process.env[name];
    });
    Object.assign(process.env, environment);
}

/* Load a command's script as node does, with the state of its package as in a new process. */
function run(argv) {
    const script = fs.realpathSync(argv[0]);
    const owner = path.dirname(path.dirname(script)) + path.sep;
    Object.keys(require.cache).forEach(function (file) {
        if (file.startsWith(owner) && !file.startsWith(owner + 'node_modules')) {
            delete require.cache[file];
        }
    });
    process.argv = [process.execPath, script].concat(argv.slice(1));
    Module._load(script, null, true);
}

/* A command that waits looks every second or two; here it looks ten times as often, and jobs are short. */
const setTimeoutOfNode = global.setTimeout;
global.setTimeout = function (callback, delay, ...rest) {
    return setTimeoutOfNode(callback, delay >= 1000 && delay <= 2000 ? delay / 10 : delay, ...rest);
};

capture(process.stdout, 'out');
capture(process.stderr, 'err');
process.exit = process.reallyExit = function (code) {
    end(code === undefined ? process.exitCode || 0 : code);
    throw EXIT;
};
process.on('uncaughtException', function (error) {
    if (error !== EXIT) {
        process.stderr.write(error.stack + '\n');
        end(1);
    }
});

let busy = false;
process.on('beforeExit', function () {
    if (busy) {
        const code = exited ? status : process.exitCode || 0;
        fs.writeSync(1, JSON.stringify({ code, out: written.out, err: written.err }) + '\n');
    }
    const order = readOrder();
    busy = order !== null;
    written.out = written.err = '';
    exited = false;
    process.exitCode = undefined;
    if (busy) {
        setEnvironment(order.environment);
        setImmediate(run, order.argv);
    }
});
