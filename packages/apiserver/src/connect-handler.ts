// The seam between the request pipeline and the subresources that a node answers: log, exec, attach, port-forward, proxy.
// The pipeline has authenticated, authorized and admitted the call; what runs behind this interface only relays.

import type { Duplex } from 'node:stream'
import type { Scope } from '@aksel/base/scope'
import type { ApiResponse } from '@aksel/client/transport'
import type { Client } from '@aksel/client/client'

/** Where nodes are reached: the tunnel's server end, or a simulated node. */
export interface NodeConnector {
  /** Rejects with an error whose message says why the node cannot be reached. */
  open(nodeName: string, request: NodeRequest): Promise<NodeResponse>
}

export interface NodeRequest {
  readonly method: string
  /** A path as the kubelet serves it, with its query: `/containerLogs/NAMESPACE/POD/CONTAINER?follow=true`. */
  readonly path: string
  /** Lower-case names. */
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

export interface NodeResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Written: the request's body; read: the answer's. Who has no body ends it. */
  readonly stream: Duplex
}

export const connectSubresources = ['log', 'exec', 'attach', 'portforward', 'proxy'] as const
export type ConnectSubresource = (typeof connectSubresources)[number]

export interface ConnectCall {
  readonly resource: 'pods' | 'services' | 'nodes'
  readonly subresource: ConnectSubresource
  /** Absent for nodes. */
  readonly namespace?: string
  /** As it stands in the path, decoded: for proxies it may be `https:web:8443`. */
  readonly name: string
  /** For proxies: what follows `/proxy`, still encoded; '' when nothing follows. */
  readonly proxyPath: string
  readonly method: string
  readonly query: URLSearchParams
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: AsyncIterable<Uint8Array>
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal
  /** The client's bare connection, where it asked for `Connection: Upgrade`, with what it sent already. */
  readonly upgrade?: { readonly socket: Duplex; readonly head: Uint8Array }
}

/**
 * Answers, or throws an ApiError. `'upgraded'` says that the handler took the client's socket over and wrote all there is
 * to write; in every other case the pipeline writes the answer, on the bare socket too. Resolves `'upgraded'` when the
 * session is over.
 */
export type ConnectHandler = (scope: Scope, call: ConnectCall) => Promise<ApiResponse | 'upgraded'>

export interface ConnectOptions {
  readonly nodes: NodeConnector
  /** Reads pods, services, endpoint slices and nodes, past authorization. */
  readonly objects: Pick<Client, 'get' | 'list'>
}
