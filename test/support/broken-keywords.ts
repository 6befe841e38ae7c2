/** Preloaded by a test: a fault in the program itself, as it makes search attributes, whose message holds what it must not. */
const { slice } = String.prototype;
const token = process.env['AWS_SESSION_TOKEN'] ?? '';

Reflect.set(String.prototype, 'slice', function (this: string, start?: number, end?: number) {
  if (end === 255) throw new TypeError(`no keyword for ${token}, ${slice.call(token, 0, 20)}`);
  return slice.call(this, start, end);
});
