// Nothing there, not there yet, and why not: the same everywhere.

import { Button, Spinner } from '@fluentui/react-components'
import { BoxRegular, ErrorCircleRegular, LockClosedRegular } from '@fluentui/react-icons'
import type { ReactNode } from 'react'
import { CallError } from '../data/api.ts'

export function Empty({
  title,
  children,
  icon,
}: {
  readonly title: string
  readonly children?: ReactNode
  readonly icon?: ReactNode
}) {
  return (
    <div className="empty">
      {icon ?? <BoxRegular fontSize={32} />}
      <h2>{title}</h2>
      {children !== undefined && <p>{children}</p>}
    </div>
  )
}

export function Loading({ label }: { readonly label: string }) {
  return (
    <div className="empty" aria-live="polite">
      <Spinner size="small" label={label} />
    </div>
  )
}

export function Failure({ error, again }: { readonly error: unknown; readonly again?: () => void }) {
  const status = error instanceof CallError ? error.status : (error as { readonly status?: number }).status
  const forbidden = status === 403
  return (
    <div className="empty" role="alert">
      {forbidden ? <LockClosedRegular fontSize={32} /> : <ErrorCircleRegular fontSize={32} />}
      <h2>{forbidden ? 'You may not see this' : 'This did not work'}</h2>
      <p>{error instanceof Error ? error.message : String(error)}</p>
      {again !== undefined && !forbidden && <Button onClick={again}>Try again</Button>}
    </div>
  )
}
