// Whether what one sees is live, in a word.

import type { ListWatchState } from '../model/list-watch.ts'

export function LiveState({ state, complete }: { readonly state: ListWatchState; readonly complete: boolean }) {
  const [tone, text] =
    state.kind === 'live'
      ? (['good', 'Live'] as const)
      : state.kind === 'listing'
        ? complete
          ? (['good', 'Live'] as const)
          : (['busy', 'Reading'] as const)
        : state.kind === 'retrying'
          ? (['warn', 'Reconnecting'] as const)
          : (['bad', 'Refused'] as const)
  return (
    <span className="live" role="status" title={'message' in state ? state.message : undefined}>
      <span className={`dot ${tone}`} style={{ margin: 0 }} />
      {text}
    </span>
  )
}
