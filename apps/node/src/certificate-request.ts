// Makes keys and requests in a process of its own: the library for it takes memory that the agent would keep for a year.

import { run } from '@aksel/host/command'
import type { MakeRequest, WantedCertificate } from '@aksel/node/certificates/certificate-manager'
import { createRequest } from '@aksel/runtime/certificate-requests'

/** The first argument by which the agent's program does this and nothing else. */
export const REQUEST_FLAG = '--make-certificate-request'

export const makeRequest: MakeRequest = async (scope, wanted) => {
  const argv = [process.execPath, ...process.execArgv, process.argv[1]!, REQUEST_FLAG]
  const { stdout } = await run(scope, argv, { input: JSON.stringify(wanted) })
  return JSON.parse(stdout) as Awaited<ReturnType<MakeRequest>>
}

/** What is wanted comes on standard input, request and key go to standard output, as JSON. */
export async function makeRequestHere(): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
  const made = await createRequest(JSON.parse(Buffer.concat(chunks).toString()) as WantedCertificate)
  await new Promise<void>((resolve) => process.stdout.write(JSON.stringify(made), () => resolve()))
}
