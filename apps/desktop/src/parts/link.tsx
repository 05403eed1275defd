// A link within the desktop: opens in place, or as the browser does it where a key says so.

import type { MouseEvent, ReactNode } from 'react'
import { go } from '../data/navigate.ts'
import { formatRoute, type Route } from '../model/route.ts'

export interface LinkProps {
  readonly to: Route
  readonly children: ReactNode
  readonly className?: string
  readonly current?: boolean
  readonly label?: string
  readonly title?: string
  readonly tabIndex?: number
}

export function Link({ to, children, className, current, label, title, tabIndex }: LinkProps) {
  const onClick = (event: MouseEvent): void => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return
    event.preventDefault()
    go(to)
  }
  return (
    <a
      href={formatRoute(to)}
      onClick={onClick}
      {...(className === undefined ? {} : { className })}
      {...(current === true ? { 'aria-current': 'page' as const } : {})}
      {...(label === undefined ? {} : { 'aria-label': label })}
      {...(title === undefined ? {} : { title })}
      {...(tabIndex === undefined ? {} : { tabIndex })}
    >
      {children}
    </a>
  )
}
