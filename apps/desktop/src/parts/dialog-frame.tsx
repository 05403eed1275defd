// The frame of every dialog: title, what it is about, what went wrong, and the buttons.

import {
  Button,
  Dialog,
  DialogActions,
  DialogBody,
  DialogContent,
  DialogSurface,
  DialogTitle,
  MessageBar,
  MessageBarBody,
} from '@fluentui/react-components'
import type { ReactNode } from 'react'

export interface DialogFrameProps {
  readonly title: string
  readonly children: ReactNode
  readonly onClose: () => void
  /** A question that is answered before anything else goes on. */
  readonly isQuestion?: boolean
  readonly widthPx?: number
  readonly error?: string
  /** Word on the button that leaves things as they are. */
  readonly leave?: string
  /** Absent: there is nothing to do but to leave. */
  readonly action?: { readonly title: string; readonly disabled?: boolean; readonly run: () => void }
}

export function DialogFrame({
  title,
  children,
  onClose,
  isQuestion = false,
  widthPx = 480,
  error = '',
  leave = 'Cancel',
  action,
}: DialogFrameProps) {
  return (
    <Dialog open modalType={isQuestion ? 'alert' : 'modal'} onOpenChange={(_, { open }) => !open && onClose()}>
      <DialogSurface className="dialog" style={{ maxWidth: widthPx }}>
        <DialogBody className="dialog-body">
          <DialogTitle>{title}</DialogTitle>
          <DialogContent className="stack">{children}</DialogContent>
          <DialogActions>
            <Button onClick={onClose}>{leave}</Button>
            {action !== undefined && (
              <Button appearance="primary" disabled={action.disabled === true} onClick={action.run}>
                {action.title}
              </Button>
            )}
          </DialogActions>
        </DialogBody>
        {/* Below the buttons, which stay where they are: who presses once more presses the same one. */}
        {error !== '' && (
          <MessageBar intent="error" layout="multiline" className="dialog-error">
            <MessageBarBody>{error}</MessageBarBody>
          </MessageBar>
        )}
      </DialogSurface>
    </Dialog>
  )
}
