// `pods/log`: one container's log, relayed from its node as it comes.

import { forbidden, invalid, invalidError } from '@aksel/api/field-errors'
import type { FieldError } from '@aksel/api/field-errors'
import type { ApiResponse } from '@aksel/client/transport'
import type { ConnectCall, ConnectOptions } from '../connect-handler.ts'
import { callNode } from './node-call.ts'
import { chooseContainer, findPod, nodePath } from './pod-target.ts'
import { isWebSocket, sendOverWebSocket } from '@aksel/runtime/upgrades/web-socket'

const passedOn = [
  'follow',
  'previous',
  'sinceSeconds',
  'sinceTime',
  'timestamps',
  'tailLines',
  'limitBytes',
  'stream',
] as const

/** A client that asked for a WebSocket gets the log in its messages. */
export async function answerLog(options: ConnectOptions, call: ConnectCall): Promise<ApiResponse | 'upgraded'> {
  const answer = await readLog(options, call)
  if (call.upgrade === undefined || !isWebSocket(call)) return answer
  await sendOverWebSocket(call, answer.body)
  return 'upgraded'
}

async function readLog(options: ConnectOptions, call: ConnectCall): Promise<ApiResponse> {
  judgeOptions(call)
  const { pod, nodeName } = await findPod(options, call)
  const container = chooseContainer(pod, call.query.get('container'))
  const headers = { 'content-type': 'text/plain' }
  // A pod that waits for a node has said nothing yet.
  if (nodeName === '') return { status: 200, headers, body: emptyBody() }
  const query = new URLSearchParams()
  for (const name of passedOn) {
    const value = call.query.get(name)
    if (value !== null) query.set(name, value)
  }
  const path = nodePath('containerLogs', pod, container, query)
  const response = await callNode(options, nodeName, { method: 'GET', path, signal: call.signal })
  response.stream.end()
  return { status: 200, headers, body: response.stream as AsyncIterable<Uint8Array> }
}

/** Upstream's validation of PodLogOptions. */
function judgeOptions(call: ConnectCall): void {
  const errors: FieldError[] = []
  const number = (name: string): number | undefined => {
    const value = call.query.get(name)
    if (value === null || value === '') return undefined
    if (/^-?\d+$/.test(value)) return Number(value)
    errors.push(invalid(name, value, 'must be a whole number'))
    return undefined
  }
  const tailLines = number('tailLines')
  const limitBytes = number('limitBytes')
  const sinceSeconds = number('sinceSeconds')
  if (tailLines !== undefined && tailLines < 0) {
    errors.push(invalid('tailLines', tailLines, 'must be greater than or equal to 0'))
  }
  if (limitBytes !== undefined && limitBytes < 1)
    errors.push(invalid('limitBytes', limitBytes, 'must be greater than 0'))
  if (sinceSeconds !== undefined && call.query.has('sinceTime')) {
    errors.push(forbidden('', 'at most one of `sinceTime` or `sinceSeconds` may be specified'))
  } else if (sinceSeconds !== undefined && sinceSeconds < 1) {
    errors.push(invalid('sinceSeconds', sinceSeconds, 'must be greater than 0'))
  }
  if (errors.length > 0) throw invalidError({ group: '', kind: 'PodLogOptions', name: call.name }, errors)
}

async function* emptyBody(): AsyncGenerator<Uint8Array> {}
