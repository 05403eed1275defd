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

export function go(route: Route, options: { readonly replace?: boolean } = {}): void {
  const href = formatRoute(route)
  if (options.replace === true) history.replaceState(null, '', href)
  else if (href !== location.pathname + location.search) history.pushState(null, '', href)
  changed.dispatchEvent(new Event('go'))
}
