/** WebAuthn with the JSON that the panel speaks; older browsers can't convert it themselves. */
import { Problem } from "./api";

interface Descriptor {
  id: string;
  type: "public-key";
  transports?: AuthenticatorTransport[];
}

export interface CreationOptions {
  challenge: string;
  user: { id: string; name: string; displayName: string };
  excludeCredentials?: Descriptor[];
}

export interface RequestOptions {
  challenge: string;
  allowCredentials?: Descriptor[];
}

/** Have the browser make a passkey. */
export async function createPasskey(options: CreationOptions): Promise<unknown> {
  const publicKey = {
    ...options,
    challenge: bytes(options.challenge),
    user: { ...options.user, id: bytes(options.user.id) },
    excludeCredentials: (options.excludeCredentials ?? []).map(descriptor),
  } as unknown as PublicKeyCredentialCreationOptions;
  const made = await asked(() => navigator.credentials.create({ publicKey }));
  const response = made.response as AuthenticatorAttestationResponse;
  return shown(made, { attestationObject: text(response.attestationObject) });
}

/** Have the browser prove a passkey. */
export async function provePasskey(options: RequestOptions): Promise<unknown> {
  const publicKey = {
    ...options,
    challenge: bytes(options.challenge),
    allowCredentials: (options.allowCredentials ?? []).map(descriptor),
  } as PublicKeyCredentialRequestOptions;
  const proof = await asked(() => navigator.credentials.get({ publicKey }));
  const response = proof.response as AuthenticatorAssertionResponse;
  return shown(proof, {
    authenticatorData: text(response.authenticatorData),
    signature: text(response.signature),
    ...(response.userHandle ? { userHandle: text(response.userHandle) } : {}),
  });
}

async function asked(ask: () => Promise<Credential | null>): Promise<PublicKeyCredential> {
  if (!("PublicKeyCredential" in window)) {
    throw new Problem(0, "no_passkeys", "Passkeys need a current browser, and a panel that is reached by https.");
  }
  try {
    const found = await ask();
    if (found instanceof PublicKeyCredential) return found;
  } catch {
    // The browser says the same of every reason, so that pages learn nothing.
  }
  throw new Problem(0, "no_passkey", "The browser gave no passkey; try again, or use your password.");
}

function shown(credential: PublicKeyCredential, response: Record<string, string>): unknown {
  return {
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    response: { clientDataJSON: text(credential.response.clientDataJSON), ...response },
    clientExtensionResults: {},
  };
}

function descriptor(one: Descriptor): PublicKeyCredentialDescriptor {
  return { ...one, id: bytes(one.id) };
}

function bytes(encoded: string): ArrayBuffer {
  const plain = atob(encoded.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (character) => character.charCodeAt(0)).buffer;
}

function text(buffer: ArrayBuffer): string {
  const plain = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(plain).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
