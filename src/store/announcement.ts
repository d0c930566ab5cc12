import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/compile'

/** `held`: not to be sent unless a person asks for it. `failed`: given up after the last attempt. */
export const ANNOUNCEMENT_STATES = ['pending', 'delivered', 'failed', 'held'] as const

/** One message to the merchant's own system. `body` is the exact text that is signed and sent. */
export const AnnouncementSchema = Type.Object({
  id: Type.String(),
  checkoutId: Type.String(),
  body: Type.String(),
  state: Type.Enum(ANNOUNCEMENT_STATES),
  attempts: Type.Integer(),
  lastError: Type.Union([Type.String(), Type.Null()]),
})
export type Announcement = Static<typeof AnnouncementSchema>

export type NewAnnouncement = Pick<Announcement, 'id' | 'body'> & { state: 'pending' | 'held' }

const announcementValidator = Compile(AnnouncementSchema)

/** Reads a row back. @throws Error where the row is not an announcement. */
export function parseAnnouncement(row: unknown): Announcement {
  return announcementValidator.Parse(row)
}
