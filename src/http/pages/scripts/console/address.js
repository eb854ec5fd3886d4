// What a list shows stands in the address: its search, its filters and its page. So a link, a reload and the browser's way
// back lead to the same list.

/** @returns {Record<string, string>} the filters in the address that have a value */
export const inAddress = () => Object.fromEntries([...new URLSearchParams(location.search)].filter(([, value]) => value !== ""));

/**
 * The address of this page with other filters. An empty text removes a filter.
 * @param {Record<string, string>} changes
 */
export function addressWith(changes) {
  const all = { ...inAddress(), ...changes };
  const query = new URLSearchParams(Object.entries(all).filter(([, value]) => value !== ""));
  return query.size === 0 ? location.pathname : `${location.pathname}?${query}`;
}

/** The query of the API for these filters. @param {Record<string, string>} filters */
export function queryOf(filters) {
  const query = new URLSearchParams(Object.entries(filters).filter(([, value]) => value !== ""));
  return query.size === 0 ? "" : `?${query}`;
}
