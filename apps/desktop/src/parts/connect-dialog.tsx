// Another cluster for this session, by a kubeconfig or a token.

import type { Session } from '../data/session.ts'
import { SignInForms } from '../pages/sign-in.tsx'
import { DialogFrame } from './dialog-frame.tsx'

export function ConnectDialog({
  onSession,
  onClose,
}: {
  readonly onSession: (session: Session) => void
  readonly onClose: () => void
}) {
  return (
    <DialogFrame title="Connect another cluster" widthPx={600} onClose={onClose}>
      <SignInForms
        ways={['kubeconfig', 'token']}
        onSignedIn={(session) => {
          onSession(session)
          onClose()
        }}
      />
    </DialogFrame>
  )
}
