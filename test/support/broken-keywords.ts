/** Preloaded by a test: makes search attributes throw an internal error whose message has a credential. */
const { slice } = String.prototype;
const token = process.env['AWS_SESSION_TOKEN'] ?? '';

Reflect.set(String.prototype, 'slice', function (this: string, start?: number, end?: number) {
  if (end === 255) throw new TypeError(`no keyword for ${token}, ${slice.call(token, 0, 20)}`);
  return slice.call(this, start, end);
});
