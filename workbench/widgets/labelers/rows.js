// The images that fit the filter, as rows: pages and thumbnails, fetched when they are looked at.

const ROWS_PAGE = 60;
const ROWS_PAGES = 40; // kept
const ROWS_THUMBNAILS = 600; // kept
const ROWS_BATCH = 40; // thumbnails in one question

/** Return the rows. onRows(): some arrived or changed; onThumbnails(ids): pictures arrived. */
export function createRows(request, onRows, onThumbnails) {
  let filter = {};
  let pages = new Map(); // number -> rows
  let asked = new Set();
  let generation = 0;
  const places = new Map(); // id -> index
  const thumbnails = new Map(); // id -> ImageBitmap, or null for one that cannot be read
  let wishes = [];
  let isFetching = false;
  const rows = {
    total: 0, get, thumbnail, setFilter, patch, invalidate, indexOf, idAt: (i) => get(i)?.id,
  };

  function get(index) {
    if (index < 0 || (rows.total && index >= rows.total)) return undefined;
    const number = Math.floor(index / ROWS_PAGE);
    const page = pages.get(number);
    if (!page) fetchPage(number);
    return page?.[index - number * ROWS_PAGE];
  }

  async function fetchPage(number) {
    if (asked.has(number)) return;
    asked.add(number);
    const mine = generation;
    try {
      const params = { filter, start: number * ROWS_PAGE, count: ROWS_PAGE };
      const { content } = await request("rows", params);
      if (mine !== generation) return;
      putPage(number, content.rows);
      rows.total = content.total;
      onRows();
    } catch {
      setTimeout(() => mine === generation && asked.delete(number), 2000); // asked again when seen
    }
  }

  function putPage(number, found) {
    pages.delete(number);
    pages.set(number, found);
    found.forEach((row, i) => places.set(row.id, number * ROWS_PAGE + i));
    if (pages.size > ROWS_PAGES) {
      const [oldest] = pages.keys();
      pages.get(oldest).forEach((row) => places.delete(row.id));
      pages.delete(oldest);
      asked.delete(oldest);
    }
  }

  function setFilter(next) {
    filter = next;
    generation += 1;
    pages = new Map();
    asked = new Set();
    places.clear();
    rows.total = 0;
    fetchPage(0);
  }

  /** Fetch again what is here, and show the old until the new has come. */
  function invalidate() {
    generation += 1;
    asked = new Set();
    for (const number of [...pages.keys()]) fetchPage(number);
    if (!pages.size) fetchPage(0);
  }

  /** Change what is known of an image, in place. */
  function patch(row) {
    const index = places.get(row.id);
    if (index === undefined) return;
    const number = Math.floor(index / ROWS_PAGE);
    const known = pages.get(number)?.[index - number * ROWS_PAGE];
    if (!known) return;
    for (const name of ["state", "classes", "split", "name"]) {
      if (row[name] !== undefined) known[name] = row[name];
    }
    onRows();
  }

  function indexOf(id) {
    return places.get(id) ?? -1;
  }

  function thumbnail(id) {
    const found = thumbnails.get(id);
    if (found !== undefined) return found ?? undefined;
    if (!wishes.includes(id)) wishes.push(id);
    if (!isFetching) {
      isFetching = true;
      requestAnimationFrame(fetchThumbnails);
    }
    return undefined;
  }

  /** Fetch the newest wishes first: what scrolled by quickly is not looked at any more. */
  async function fetchThumbnails() {
    const ids = wishes.slice(-ROWS_BATCH);
    wishes = wishes.slice(0, -ROWS_BATCH).slice(-ROWS_BATCH);
    try {
      const { buffers } = await request("thumbnails", { ids });
      const pictures = await Promise.all(buffers.map((buffer) =>
        createImageBitmap(new Blob([buffer])).catch(() => null)));
      ids.forEach((id, i) => keepThumbnail(id, pictures[i] ?? null));
      onThumbnails(ids);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
    isFetching = wishes.length > 0;
    if (isFetching) fetchThumbnails();
  }

  function keepThumbnail(id, picture) {
    thumbnails.set(id, picture);
    if (thumbnails.size <= ROWS_THUMBNAILS) return;
    const [oldest] = thumbnails.keys();
    thumbnails.get(oldest)?.close();
    thumbnails.delete(oldest);
  }
  return rows;
}
