// How CMS names certificates, for the sources of cms.hpp alone.
#pragma once

#include <openssl/x509.h>

#include "crypto/cms.hpp"

namespace cw::crypto {

// Of a SignerInfo or RecipientInfo: `key_id`, or `issuer` and `serial`; null what is absent.
CmsName cms_name(const ASN1_OCTET_STRING* key_id, const X509_NAME* issuer,
                 const ASN1_INTEGER* serial);

} // namespace cw::crypto
