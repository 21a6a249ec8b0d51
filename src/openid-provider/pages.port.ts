/** Pages of the OpenID Provider as data; who makes them HTML, in the tenant's colours and the guest's language, is `web/`. */
export interface OpenIdPage {
  template:
    | 'openid-error'
    | 'openid-access'
    | 'openid-consent'
    | 'openid-logout'
    | 'openid-logged-out'
    | 'openid-device'
    | 'openid-device-confirm'
    | 'openid-device-done'
    | 'leaving';
  status: number;
  /** Every name the template uses, null where there is nothing to say. */
  facts: Record<string, unknown>;
}

export interface OpenIdPages {
  /** Of every answer a browser may show. */
  headers: Readonly<Record<string, string>>;
  render(tenantId: string, page: OpenIdPage, acceptLanguage: string | undefined): Promise<string>;
}
