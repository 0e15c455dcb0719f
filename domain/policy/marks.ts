/**
 * Names that people are led astray with most often, as a start: banks, payment, mail, shops, clouds, tools. A list never
 * changes under its name: what a policy in force says must not change with an update. A longer one gets a new name.
 */
export const MARK_LISTS = ['marks-1'] as const;
export type MarkList = (typeof MARK_LISTS)[number];

/** Marks that are ordinary words or names as well: `apple-orchard` is no trick, `apple-login` is. */
const WORDS =
  'adobe.com airbnb.com aldi.com amazon.com apple.com booking.com box.com chase.com discover.com discord.com ' +
  'dropbox.com etsy.com fidelity.com figma.com indeed.com kraken.com linear.app medium.com meta.com nike.com nintendo.com ' +
  'notion.so oracle.com orange.com outlook.com patreon.com peacock.com pinterest.com samsung.com sap.com shell.com ' +
  'signal.org slack.com sony.com square.com steam.com stripe.com target.com telegram.org twitch.tv twitter.com uber.com ' +
  'vanguard.com visa.com wise.com zoom.us';

/** Marks that mean nothing else. */
const DISTINCT =
  'adidas.com adyen.com alibaba.com americanexpress.com anthropic.com atlassian.com barclays.com binance.com ' +
  'bitbucket.org bloomberg.com citibank.com cloudflare.com coinbase.com costco.com datadoghq.com deutschebank.de ' +
  'digitalocean.com docusign.com ebay.com expedia.com facebook.com fedex.com github.com gitlab.com gmail.com ' +
  'godaddy.com google.com hetzner.com hubspot.com icloud.com ikea.com instagram.com intuit.com klarna.com ' +
  'linkedin.com mastercard.com mcdonalds.com microsoft.com mozilla.org netflix.com openai.com paypal.com revolut.com ' +
  'salesforce.com shopify.com spotify.com stackoverflow.com tesla.com tiktok.com usps.com verizon.com walmart.com ' +
  'wellsfargo.com whatsapp.com wikipedia.org youtube.com zendesk.com';

export interface Mark {
  readonly name: string;
  /** It is a word or a common name too. */
  readonly ordinary: boolean;
}

const LISTS: Readonly<Record<MarkList, readonly Mark[]>> = {
  'marks-1': [
    ...WORDS.split(' ').map((name) => ({ name, ordinary: true })),
    ...DISTINCT.split(' ').map((name) => ({ name, ordinary: false })),
  ],
};

/** The marks of a list, as they stood when it got its name. */
export function marksOf(list: MarkList): readonly Mark[] {
  return LISTS[list];
}
