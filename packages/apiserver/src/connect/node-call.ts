// Calls on a node, and what a client is told when one fails.

import { text } from 'node:stream/consumers'
import { ApiError } from '@aksel/base/errors'
import type { Status } from '@aksel/base/errors'
import type { ConnectOptions, NodeRequest, NodeResponse } from '../connect-handler.ts'

/** A node that cannot be reached: kubectl shows `Error from server: error dialing backend: …`. */
export class DialError extends Error {
  constructor(cause: Error) {
    super(`error dialing backend: ${cause.message}`, { cause })
    this.name = 'DialError'
  }
}

/** Rejects with a DialError where the node is not reached, and with the node's own ApiError where it refuses. */
export async function callNode(options: ConnectOptions, nodeName: string, request: NodeRequest): Promise<NodeResponse> {
  let response: NodeResponse
  try {
    response = await options.nodes.open(nodeName, request)
  } catch (error) {
    if (request.signal?.aborted === true) throw request.signal.reason as Error
    throw new DialError(error as Error)
  }
  if (response.status < 400) return response
  response.stream.end()
  throw refusalOf(response.status, await text(response.stream))
}

function refusalOf(status: number, body: string): ApiError {
  if (body.startsWith('{')) return ApiError.fromStatus(JSON.parse(body) as Partial<Status> & { code?: number })
  return new ApiError('InternalError', body, { code: status })
}

/** A Status without a reason, as upstream answers errors that are not the API's own. */
export function dialStatus(error: DialError): Status {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message: error.message, code: 500 }
}
