/** For `node --expose-gc --require`: each thread of the process collects its garbage when the process gets SIGWINCH. */
'use strict';
const { BroadcastChannel, isMainThread } = require('node:worker_threads');

const channel = new BroadcastChannel('collect garbage');
channel.addEventListener('message', () => globalThis.gc());
channel.unref();
if (isMainThread) {
  process.on('SIGWINCH', () => {
    globalThis.gc();
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- no window's
    channel.postMessage(undefined);
  });
}
