// Hands scripts to nftables. Each script is one transaction: all of it holds afterwards, or nothing.

import { run, type CommandRunner } from '@aksel/host/command'
import type { Scope } from '@aksel/base/scope'

export interface NftRunner {
  /** Rejects with nft's own words when the script is refused; then nothing has changed. */
  apply(scope: Scope, lines: readonly string[]): Promise<void>
}

/** A program start per script; in the named network namespace, or in the caller's own. */
export function spawnedNft(
  options: { readonly networkNamespace?: string; readonly run?: CommandRunner } = {},
): NftRunner {
  const enter =
    options.networkNamespace === undefined ? [] : ['nsenter', `--net=/run/netns/${options.networkNamespace}`]
  const runner = options.run ?? run
  return {
    async apply(scope, lines) {
      if (lines.length > 0) await runner(scope, [...enter, 'nft', '-f', '-'], { input: `${lines.join('\n')}\n` })
    },
  }
}
