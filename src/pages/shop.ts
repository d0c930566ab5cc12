/** What the pages need to know of the merchant; all of it comes from the settings. */
export interface Shop {
  name: string
  supportEmail?: string
  /** `#rrggbb`; anything else gives way to the default accent. */
  accentColor?: string
  logoUrl?: string
  /** Absolute base of every link that leaves the site: previews, structured data. */
  publicUrl: string
}
