"""The request that has CloudFront drop files.

Box: social. Source: Amazon CloudFront API 2020-05-31, CreateInvalidation. Only the signature and the search for
credentials (environment, files, role of the machine) are botocore's; what is sent goes the way of all requests.
"""

from collections.abc import Sequence
from urllib.parse import parse_qs, quote

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.session import Session

from townsquare.kit.html import text
from townsquare.social.outbound import FetchFailed

_ENDPOINT, _REGION, _VERSION = "https://cloudfront.amazonaws.com", "us-east-1", "2020-05-31"


def invalidation(cdn: str, paths: Sequence[str], *, name: str) -> tuple[str, dict[str, str], bytes]:
    """Address, headers and body of the request. `cdn` is the setting; one `name` is one invalidation, however often it
    is asked for. It may ask the machine's own metadata service, so it runs in a thread.

    Raises: FetchFailed where there are no credentials.
    """
    distribution, _, query = cdn.removeprefix("cloudfront:").partition("?")
    endpoint = parse_qs(query).get("endpoint", [_ENDPOINT])[0].rstrip("/")
    credentials = Session().get_credentials()
    if credentials is None:
        raise FetchFailed("There are no AWS credentials: set AWS_ACCESS_KEY_ID or give the machine a role")
    items = "".join(f"<Path>{text(quote(path))}</Path>" for path in paths)
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?><InvalidationBatch xmlns="http://cloudfront.amazonaws.com/doc/{_VERSION}/">'
        f"<Paths><Quantity>{len(paths)}</Quantity><Items>{items}</Items></Paths>"
        f"<CallerReference>{text(name)}</CallerReference></InvalidationBatch>"
    ).encode()
    url = f"{endpoint}/{_VERSION}/distribution/{quote(distribution, safe='')}/invalidation"
    request = AWSRequest("POST", url, headers={"Content-Type": "application/xml"}, data=body)
    SigV4Auth(credentials.get_frozen_credentials(), "cloudfront", _REGION).add_auth(request)
    return url, dict(request.headers.items()), body
