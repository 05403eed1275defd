// A second client of a front door, registered through Microsoft Graph as `az ad sp create-for-rbac` does it.

import assert from 'node:assert/strict'
import type { Answer, CallOptions, OpenedFrontDoor } from './opened-front-door.ts'

export interface OtherClient {
  readonly appId: string
  readonly password: string
  readonly objectId: string
  call(method: string, path: string, options?: CallOptions): Promise<Answer>
  /** Grants it a role by its id, at a scope. Returns the id of the assignment. */
  grant(role: string, scope: string): Promise<string>
}

export async function otherClient(opened: OpenedFrontDoor, displayName = 'another'): Promise<OtherClient> {
  const made = (answer: Answer): Readonly<Record<string, string>> => {
    assert.ok(answer.status < 300, answer.text)
    return answer.body as unknown as Readonly<Record<string, string>>
  }
  const app = made(await opened.call('POST', '/v1.0/applications', { body: { displayName } }))
  const principal = made(await opened.call('POST', '/v1.0/servicePrincipals', { body: { appId: app['appId'] } }))
  const secret = made(
    await opened.call('POST', `/v1.0/applications/${app['id']}/addPassword`, { body: { passwordCredential: {} } }),
  )
  const token = await opened.signIn(app['appId']!, secret['secretText']!)
  return {
    appId: app['appId']!,
    password: secret['secretText']!,
    objectId: principal['id']!,
    call: (method, path, options = {}) => opened.call(method, path, { token, ...options }),
    async grant(role, scope) {
      const name = `00000000-0000-4000-8000-${Buffer.from(role + scope + displayName)
        .toString('hex')
        .slice(-12)}`
      const subscription = /^\/subscriptions\/[^/]+/.exec(scope)![0]
      const roleDefinitionId = `${subscription}/providers/Microsoft.Authorization/roleDefinitions/${role}`
      const body = { properties: { roleDefinitionId, principalId: principal['id'] } }
      const id = `${scope}/providers/Microsoft.Authorization/roleAssignments/${name}`
      made(await opened.call('PUT', id, { body }))
      return id
    },
  }
}
