// `pods/exec` and `pods/attach`: what a call asks for, and its way to the node of its pod.

import { ApiError } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { SessionOptions } from '@aksel/runtime/upgrades/client-session'
import { serveCommand } from '@aksel/runtime/upgrades/command-session'
import type { ConnectCall, ConnectOptions } from '../connect-handler.ts'
import { callNode } from './node-call.ts'
import { chooseContainer, findRunningPod, nodePath } from './pod-target.ts'

/** Resolves when the session is over. */
export async function relayExec(scope: Scope, options: ConnectOptions, call: ConnectCall): Promise<'upgraded'> {
  const session = sessionOptions(call)
  const { pod, nodeName } = await findRunningPod(options, call)
  const container = chooseContainer(pod, call.query.get('container'))
  const query = new URLSearchParams()
  for (const command of call.query.getAll('command')) query.append('command', command)
  for (const [name, isSet] of Object.entries({
    input: session.stdin,
    output: session.stdout,
    error: session.stderr,
    tty: session.tty,
  })) {
    if (isSet) query.set(name, '1')
  }
  const path = nodePath(call.subresource, pod, container, query)
  await serveCommand(scope, call, session, async (signal) => {
    return (await callNode(options, nodeName, { method: 'POST', path, signal })).stream
  })
  return 'upgraded'
}

function sessionOptions(call: ConnectCall): SessionOptions {
  // Upstream's query decoder takes any text but false and 0 for true; none given means attach's and exec's defaults.
  const isSet = (name: string, byDefault: boolean): boolean => {
    const value = call.query.get(name)
    return value === null ? byDefault : value !== 'false' && value !== '0'
  }
  const tty = isSet('tty', false)
  const outputs = call.subresource === 'attach'
  const options = {
    stdin: isSet('stdin', false),
    stdout: isSet('stdout', outputs),
    stderr: isSet('stderr', outputs) && !tty,
    tty,
  }
  if (!options.stdin && !options.stdout && !options.stderr) {
    throw new ApiError('BadRequest', 'you must specify at least one of stdin, stdout, stderr')
  }
  if (call.subresource === 'exec' && !call.query.has('command')) {
    throw new ApiError('BadRequest', 'you must specify at least one command for the container')
  }
  return options
}
