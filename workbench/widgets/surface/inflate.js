// Masks that come from Python are deflated.

/** Return the pixels of a deflated mask, or null for an empty buffer. */
export async function inflateMask(buffer) {
  if (!buffer || !buffer.byteLength) return null;
  const stream = new Blob([buffer]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
