import { domainToASCII } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { builtInPolicy } from '../../domain/policy/built-in.js';
import { marksOf } from '../../domain/policy/marks.js';
import { nameFindings } from '../../domain/policy/names.js';
import { decodePunycode } from '../../domain/punycode.js';

const rules = {
  ...builtInPolicy().domains,
  protected: ['superseal.club', 'hooli.example'],
  protectedLists: ['marks-1' as const],
};
const finding = (name: string): string | undefined =>
  nameFindings({ name, goal: 'A new site' }, rules)[0]?.text;

/** Name asked for -> the protected name it must be held for. */
const CONFUSABLE: readonly (readonly [string, string])[] = [
  // digits and pairs of letters
  ['paypa1.com', 'paypal.com'],
  ['g00gle.com', 'google.com'],
  ['go0gle.net', 'google.com'],
  ['micros0ft.com', 'microsoft.com'],
  ['rnicrosoft.com', 'microsoft.com'],
  ['arnazon.com', 'amazon.com'],
  ['amaz0n.dev', 'amazon.com'],
  ['app1e.com', 'apple.com'],
  ['faceb00k.com', 'facebook.com'],
  ['netf1ix.com', 'netflix.com'],
  ['1inkedin.com', 'linkedin.com'],
  ['g1thub.com', 'github.com'],
  ['str1pe.club', 'stripe.com'],
  ['tvvitter.com', 'twitter.com'],
  ['clouclflare.com', 'cloudflare.com'],
  ['c0inbase.org', 'coinbase.com'],
  ['vvhatsapp.com', 'whatsapp.com'],
  ['5potify.com', 'spotify.com'],
  ['dr0pbox.com', 'dropbox.com'],
  ['wa1mart.com', 'walmart.com'],
  ['m3ta.com', 'meta.com'],
  ['v1sa.com', 'visa.com'],
  ['0utlook.com', 'outlook.com'],
  // slips of hand and eye
  ['gogle.com', 'google.com'],
  ['gooogle.com', 'google.com'],
  ['googel.com', 'google.com'],
  ['paypall.com', 'paypal.com'],
  ['payapl.com', 'paypal.com'],
  ['amazom.com', 'amazon.com'],
  ['cloudfiare.com', 'cloudflare.com'],
  ['cloudflair.com', 'cloudflare.com'],
  ['mircosoft.com', 'microsoft.com'],
  ['facebok.com', 'facebook.com'],
  ['instgram.com', 'instagram.com'],
  ['gihtub.com', 'github.com'],
  ['supersael.club', 'superseal.club'],
  ['superseals.club', 'superseal.club'],
  ['stripee.com', 'stripe.com'],
  ['netflxi.com', 'netflix.com'],
  ['linkedln.com', 'linkedin.com'],
  ['dropbix.com', 'dropbox.com'],
  // another ending
  ['superseal.com', 'superseal.club'],
  ['paypal.club', 'paypal.com'],
  ['github.dev', 'github.com'],
  ['stripe.net', 'stripe.com'],
  ['zoom.com', 'zoom.us'],
  // words added
  ['paypal-login.com', 'paypal.com'],
  ['secure-paypal.com', 'paypal.com'],
  ['paypalsupport.com', 'paypal.com'],
  ['appleid.com', 'apple.com'],
  ['my-apple-id.com', 'apple.com'],
  ['getstripe.com', 'stripe.com'],
  ['amazon-deals.com', 'amazon.com'],
  ['microsoft-experts.com', 'microsoft.com'],
  ['googleaccount.com', 'google.com'],
  ['google24.com', 'google.com'],
  ['chasebank.com', 'chase.com'],
  ['paypa1-login.com', 'paypal.com'],
  ['superseal-shop.club', 'superseal.club'],
  ['visa-support.com', 'visa.com'],
  // letters of other alphabets
  ['раураl.com', 'paypal.com'],
  ['аpple.com', 'apple.com'],
  ['gооgle.com', 'google.com'],
  ['miсrosoft.com', 'microsoft.com'],
  ['ѕtripe.com', 'stripe.com'],
  ['gïthub.com', 'github.com'],
  ['fаcebook.com', 'facebook.com'],
  ['nеtflix.com', 'netflix.com'],
  ['αmazon.com', 'amazon.com'],
  ['ցoogle.com', 'google.com'],
  ['cłoudflare.com', 'cloudflare.com'],
  ['visà.com', 'visa.com'],
  ['ѕuperseal.club', 'superseal.club'],
  ['githսb.com', 'github.com'],
];

/** Names that somebody might want, each a word, a trade or a name; several near a mark on purpose. */
const ORDINARY = (
  'pineapple grapple snapple-free applewood apple-orchard appletree strike striker stripes-and-dots bistro visage ' +
  'vista vistas advisa-lake vision amazonia-tours amazon-river-tours amazonite chaser purchase phase phrase chess ' +
  'chased-silver orange-grove orangery shelly eggshell shell-collectors seashell nutshell target-practice archery ' +
  'oracle-bones coracle miracle zoomorphic slackline slacklining square-dance squaredance meta-physics metaphor ' +
  'metallic boxing sandbox toolbox matchbox boxwood signalbox traffic-signal wisely likewise wiseman steamboat ' +
  'steamy upstream discover-wales discovery rediscovery medium-rare pink-notion notional fidelity-choir vanguard-records ' +
  'telegraph telegram-history indeedly booking-a-table cookbook bookings-diary linearity figment stigma samson ' +
  'nintendo-museum-fans tokyo-sony-park peacocks nikeas mikes bikes hikes uberlandia tuber hubert adobe-brick-houses ' +
  'adobe-ovens teslin tassel testa vessel tiktaalik clockwork-tick opening goggles giggle gurgle ' +
  'oogle-eyed facet facebow bookface netting flixton netball paysage paypoint-harbour palace payroll ' +
  'spotted spotter potify-garden deposit depot cloudberry cloud-nine flare-stack solarflare hubcap gitano gitane ' +
  'digit microscope microbrewery softly micro-farm windmill windows-cleaning macro-lens amass ablaze blazon emblazon ' +
  'coinage coincidence basecamp-trail baselayer kraken-rum-fans krakow klarinet carnival arena-hall wallmaker ' +
  'walmer mart-lane costello cost-of-living ikebana icloudy-day cloudless clouded gmelin mailroom snailmail mailbag ' +
  'fedora-hats feast usability uspto-guide stack-of-books overflow-valve wikiloc pediatrics encyclopaedia tubeway ' +
  'youthful tuba zendo desktop-calendar hetero hertz-sprung gogogo daddy-day dadaism salesman forcefield shopfront ' +
  'shopkeeper hubspoke spokes docudrama signage revolver revolution intuition alibi babaganoush ' +
  'atlas atlantic lassie barcelona clays binary nance bloom bergamot citizen bankside germanic dentist bakery brewery ' +
  'plumber carpenter gardener florist optician pharmacy library museum theatre orchestra quartet choir school college ' +
  'tulip harbour lighthouse meadow river mountain granite copper linen cotton walnut maple cedar juniper saffron ' +
  'cinnamon paprika lantern anchor compass sextant barometer telescope kettle teapot saucer ladle whisk rolling-pin ' +
  'quilt loom spindle bobbin thimble ribbon button zipper buckle sandal boot clog slipper mitten scarf'
).split(' ');

describe('names that look like protected ones', () => {
  test('there are at least 60 pairs, 200 ordinary names and 100 marks', () => {
    expect(CONFUSABLE.length).toBeGreaterThanOrEqual(60);
    expect(new Set(ORDINARY).size).toBeGreaterThanOrEqual(200);
    expect(new Set(marksOf('marks-1').map(({ name }) => name)).size).toBeGreaterThanOrEqual(100);
  });

  test.each(CONFUSABLE)('%s is held for %s', (asked, mark) => {
    const name = domainToASCII(asked);
    expect(name).not.toBe('');
    expect(finding(name)).toContain(mark);
  });

  test('none of the ordinary names is held', () => {
    const held = ORDINARY.map((name) => finding(`${name}.com`)).filter(
      (text) => text !== undefined,
    );
    expect(held).toEqual([]);
  });

  test('each mark is held under another ending, and itself', () => {
    const missed = marksOf('marks-1').filter(
      ({ name }) =>
        finding(name) === undefined || finding(`${name.split('.')[0] ?? ''}.example`) === undefined,
    );
    expect(missed).toEqual([]);
  });
});

describe('punycode', () => {
  test.each(['bücher', 'раураl', 'münchen-ost', 'ähm', '例え', '☃', 'αβγ', 'a😀b'])(
    '%s',
    (label) => {
      const ascii = domainToASCII(`${label}.com`).replace(/\.com$/, '');
      expect(decodePunycode(ascii.slice(4))).toBe(label);
    },
  );

  test.each(['A', 'a_b', '99999999', '-', 'a'.repeat(64), '999999999999999999'])(
    '%s is none',
    (text) => {
      expect([undefined, '']).toContain(decodePunycode(text) ?? undefined);
    },
  );
});
