// Tiles in the browser: fetched when they are looked at, and let go of when they are not.

import { inflateMask } from "../surface/inflate.js";

const STORE_KEPT = 180; // tiles with their pictures
const STORE_BATCH = 24; // tiles in one question

/** Return {get, drop, clear}; onTiles(): some arrived. */
export function createTileStore(ask, onTiles) {
  const tiles = new Map(); // id -> tile, the one used last at the end
  let wishes = [];
  let isFetching = false;

  /** Return a tile, or undefined while it comes. */
  function get(id) {
    const found = tiles.get(id);
    if (found) {
      tiles.delete(id);
      tiles.set(id, found);
      if (!found.isOld) return found;
    }
    if (!wishes.includes(id)) wishes.push(id);
    if (!isFetching) {
      isFetching = true;
      requestAnimationFrame(fetchTiles);
    }
    return found;
  }

  /** Fetch the newest wishes first: what scrolled by quickly is not looked at any more. */
  async function fetchTiles() {
    const ids = wishes.slice(-STORE_BATCH);
    wishes = wishes.slice(0, -STORE_BATCH).slice(-STORE_BATCH);
    const answer = await ask("tiles", { ids });
    if (answer) {
      const made = await readTiles(answer);
      made.forEach(keep);
      onTiles();
    } else await new Promise((resolve) => setTimeout(resolve, 2000));
    isFetching = wishes.length > 0;
    if (isFetching) fetchTiles();
  }

  function keep(tile) {
    tiles.get(tile.id)?.picture?.close();
    tiles.delete(tile.id);
    tiles.set(tile.id, tile);
    if (tiles.size <= STORE_KEPT) return;
    const [oldest] = tiles.keys();
    tiles.get(oldest).picture?.close();
    tiles.delete(oldest);
  }

  /** Fetch some, or null: all, again when they are looked at; the old are shown until then. */
  function drop(ids) {
    for (const id of ids ?? tiles.keys()) {
      const tile = tiles.get(id);
      if (tile) tile.isOld = true;
    }
  }

  function clear() {
    for (const tile of tiles.values()) tile.picture?.close();
    tiles.clear();
    wishes = [];
  }
  return { get, drop, clear };
}

/** Return the tiles of an answer, each with its picture and its layers. */
function readTiles({ content, buffers }) {
  let used = 0;
  return Promise.all(content.tiles.map((tile) => {
    const parts = buffers.slice(used, used + tile.buffers);
    used += tile.buffers;
    return readTile(tile, parts);
  }));
}

/** Return a tile with its picture and its layers: {name: {data, width, height}}. */
export async function readTile(tile, [photo, ...masks]) {
  const layers = {};
  const fill = async ([name, height, width], i) => {
    layers[name] = { data: await inflateMask(masks[i]), width, height };
  };
  const [picture] = await Promise.all([
    createImageBitmap(new Blob([photo])).catch(() => null), ...tile.layers.map(fill),
  ]);
  return { ...tile, picture, layers };
}
