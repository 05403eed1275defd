// Who asks: name, uid, groups and extra, as authentication found them.

export interface UserInfo {
  readonly name: string
  readonly uid?: string
  readonly groups: readonly string[]
  readonly extra?: Readonly<Record<string, readonly string[]>>
}

export const allAuthenticated = 'system:authenticated'
export const allUnauthenticated = 'system:unauthenticated'
export const masters = 'system:masters'

export const anonymous: UserInfo = { name: 'system:anonymous', groups: [allUnauthenticated] }

/** The user with `system:authenticated` among the groups. */
export function authenticated(user: UserInfo): UserInfo {
  if (
    user.name === anonymous.name ||
    user.groups.includes(allAuthenticated) ||
    user.groups.includes(allUnauthenticated)
  )
    return user
  return { ...user, groups: [...user.groups, allAuthenticated] }
}

/** As it stands in reviews and in the audit log. */
export function wireUser(user: UserInfo): Readonly<Record<string, unknown>> {
  return {
    username: user.name,
    ...(user.uid === undefined ? {} : { uid: user.uid }),
    groups: user.groups,
    ...(user.extra === undefined ? {} : { extra: user.extra }),
  }
}
