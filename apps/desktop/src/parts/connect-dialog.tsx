// Another cluster for this session, by a kubeconfig or a token.

import {
  Button,
  Dialog,
  DialogActions,
  DialogBody,
  DialogContent,
  DialogSurface,
  DialogTitle,
} from '@fluentui/react-components'
import type { Session } from '../data/session.ts'
import { SignInForms } from '../pages/sign-in.tsx'

export function ConnectDialog({
  onSession,
  onClose,
}: {
  readonly onSession: (session: Session) => void
  readonly onClose: () => void
}) {
  return (
    <Dialog open onOpenChange={(_, { open }) => !open && onClose()}>
      <DialogSurface>
        <DialogBody>
          <DialogTitle>Connect another cluster</DialogTitle>
          <DialogContent>
            <SignInForms
              ways={['kubeconfig', 'token']}
              onSignedIn={(session) => {
                onSession(session)
                onClose()
              }}
            />
          </DialogContent>
          <DialogActions>
            <Button onClick={onClose}>Cancel</Button>
          </DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  )
}
