// Asks before something goes for good. What is dear is confirmed by its name.

import { Field, Input } from '@fluentui/react-components'
import { useState, type ReactNode } from 'react'
import { DialogFrame } from './dialog-frame.tsx'

export interface ConfirmDialogProps {
  readonly title: string
  readonly action: string
  readonly children: ReactNode
  /** To be typed first. */
  readonly word?: string
  readonly onConfirm: () => Promise<void>
  readonly onClose: () => void
}

export function ConfirmDialog({ title, action, children, word, onConfirm, onClose }: ConfirmDialogProps) {
  const [typed, setTyped] = useState('')
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState('')
  const confirm = async (): Promise<void> => {
    setBusy(true)
    setError('')
    try {
      await onConfirm()
      onClose()
    } catch (failure) {
      setError((failure as Error).message)
      setBusy(false)
    }
  }
  return (
    <DialogFrame
      title={title}
      isQuestion
      error={error}
      onClose={onClose}
      action={{ title: action, disabled: busy || (word !== undefined && typed !== word), run: () => void confirm() }}
    >
      <div>{children}</div>
      {word !== undefined && (
        <Field label={`Type ${word} to confirm`}>
          <Input autoFocus value={typed} onChange={(_, { value }) => setTyped(value)} />
        </Field>
      )}
    </DialogFrame>
  )
}
