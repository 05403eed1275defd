// `aksel node token`: bootstrap tokens for other hosts. What they print is what `aksel node join` wants.

import { secrets } from '@aksel/api/resources'
import type { Secret } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import { isReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { makeToken, type BootstrapToken } from '@aksel/controllers/bootstrap-token/make-token'
import { expiryOf, isTokenSecret, tokenNamespace } from '@aksel/controllers/bootstrap-token/token-secret'
import { CommandError } from '../command-error.ts'
import { pinOf, type ClusterInfo } from './discovery.ts'

/** `30s`, `90m`, `24h`: as kubeadm's --ttl. */
export function parseTtl(text: string): number {
  const [, amount, unit] = /^(\d+)(s|m|h)$/.exec(text) ?? []
  const ms = Number(amount) * ({ s: 1000, m: 60_000, h: 3_600_000 }[unit as 's' | 'm' | 'h'] ?? Number.NaN)
  if (Number.isNaN(ms) || ms === 0)
    throw new CommandError(`"${text}" is no time that a token could hold for: "30m" or "24h" is wanted.`, 2)
  return ms
}

export function createToken(
  scope: Scope,
  client: Client,
  wish: { readonly ttl: string; readonly description?: string },
): Promise<BootstrapToken> {
  const description = wish.description ?? 'Made by "aksel node token create" for another host.'
  return makeToken(scope, client, { description, durationMs: parseTtl(wish.ttl), signs: true })
}

/** The command for the other host. `via` is this host's own address: the API server's is reached through it. */
export async function joinCommand(info: ClusterInfo, token: string, via: string | undefined): Promise<string> {
  const { parse } = await import('yaml')
  const config = parse(info['kubeconfig'] ?? '') as {
    readonly clusters?: readonly {
      readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string }
    }[]
  } | null
  const cluster = config?.clusters?.[0]?.cluster
  if (cluster === undefined) throw new CommandError('This cluster has no cluster-info: it takes no other hosts.')
  const pin = pinOf(Buffer.from(cluster['certificate-authority-data'], 'base64').toString())
  const server = new URL(cluster.server)
  const words = [`${server.hostname}:${server.port || '443'}`, '--token', token, '--discovery-token-ca-cert-hash', pin]
  return ['./aksel node join', ...words, ...(via === undefined ? [] : ['--via', via])].join(' ')
}

/** Lines as `kubeadm token list` has them. Secrets are shown: whoever may read them may read them by kubectl, too. */
export function renderTokens(all: readonly Secret[], nowMs: number): string {
  const text = (secret: Secret, name: string): string => Buffer.from(secret.data?.[name] ?? '', 'base64').toString()
  const lines = all.filter(isTokenSecret).map((secret) => {
    const ends = expiryOf(secret)
    const left = ends === undefined ? '<forever>' : ends <= nowMs ? '<invalid>' : leftOf(ends - nowMs)
    const usages = ['authentication', 'signing'].filter((usage) => text(secret, `usage-bootstrap-${usage}`) === 'true')
    return [
      `${text(secret, 'token-id')}.${text(secret, 'token-secret')}`,
      left,
      ends === undefined ? '<never>' : formatTime(ends),
      usages.join(','),
      text(secret, 'description') || '<none>',
    ]
  })
  const rows = [['TOKEN', 'TTL', 'EXPIRES', 'USAGES', 'DESCRIPTION'], ...lines]
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]!.length)) + 3)
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, at) => cell.padEnd(widths[at] ?? 0))
          .join('')
          .trimEnd()}\n`,
    )
    .join('')
}

function leftOf(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  if (seconds >= 3600) return `${Math.floor(seconds / 3600)}h`
  return seconds >= 60 ? `${Math.floor(seconds / 60)}m` : `${seconds}s`
}

/** By its id or the whole token. */
export async function deleteToken(client: Client, token: string): Promise<string> {
  const [, id] = /^([a-z0-9]{6})(?:\.[a-z0-9]{16})?$/.exec(token) ?? []
  if (id === undefined) throw new CommandError(`"${token}" is neither a token nor the id of one.`, 2)
  try {
    await client.delete(secrets, { namespace: tokenNamespace, name: `bootstrap-token-${id}` })
  } catch (error) {
    if (isReason(error, 'NotFound')) throw new CommandError(`There is no bootstrap token "${id}".`)
    throw error
  }
  return id
}
