// The address bar as state: pages are links, and back and forward work.

import { useSyncExternalStore } from 'react'
import { formatRoute, parseRoute, type Route } from '../model/route.ts'

const changed = new EventTarget()

function subscribe(watcher: () => void): () => void {
  addEventListener('popstate', watcher)
  changed.addEventListener('go', watcher)
  return () => {
    removeEventListener('popstate', watcher)
    changed.removeEventListener('go', watcher)
  }
}

export function useRoute(): Route {
  const href = useSyncExternalStore(subscribe, () => location.pathname + location.search)
  const [path, query = ''] = href.split('?')
  return parseRoute(path!, new URLSearchParams(query))
}

/** Puts a place into the address without drawing anything anew: who calls shows it already. */
export function note(route: Route): void {
  const href = formatRoute(route)
  // A page that is left may still be there, hidden, until the next one is loaded.
  if (new URL(href, location.href).pathname !== location.pathname) return
  if (href !== location.pathname + location.search) history.replaceState(null, '', href)
}

export function go(route: Route, options: { readonly replace?: boolean } = {}): void {
  const href = formatRoute(route)
  if (options.replace === true) history.replaceState(null, '', href)
  else if (href !== location.pathname + location.search) history.pushState(null, '', href)
  changed.dispatchEvent(new Event('go'))
}
