"""The template for AWS is clean, and moto makes of it what it should be: read back by AWS's own client.

moto's CloudFormation does not know CloudFront, ElastiCache, MSK, bucket policies and scaling policies: these are taken
out of the copy that it gets. It knows no attributes of balancers and no public access blocks either. What is left over
goes to moto from the template by its other APIs, except CloudFront, ElastiCache and MSK: cfn-lint alone looks at those.
"""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.deploy.tools import DEPLOY
from townsquare.boot import check_engines
from townsquare.settings import Settings, read_settings

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("aws")]

TEMPLATE = DEPLOY / "aws" / "townsquare.yaml"
LEFT_OUT = (
    "AWS::CloudFront::",
    "AWS::ElastiCache::",
    "AWS::MSK::",
    "AWS::S3::BucketPolicy",
    "AWS::AutoScaling::Scaling",
)
US_CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"


class Cloud:
    """moto, with the stack made in it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.resources: dict[str, str] = {}
        self.certificate: str = self.client("acm").request_certificate(DomainName="example.org")["CertificateArn"]

    def client(self, name: str) -> Any:
        """AWS's own client, sent to moto."""
        keys = {"aws_access_key_id": "tests", "aws_secret_access_key": "tests"}
        import boto3  # each of AWS's own programs takes a second to import, and collecting tests needs none

        return boto3.client(name, endpoint_url=self._url, region_name="eu-central-1", **keys)  # type: ignore[call-overload]

    def make_stack(self) -> None:
        """Make it as an operator would, with a Redis of one's own."""
        ec2, cloud_formation = self.client("ec2"), self.client("cloudformation")
        image = ec2.describe_images()["Images"][0]["ImageId"]
        self.client("ssm").put_parameter(Name="/townsquare/image", Type="String", Value=image)
        vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        subnets = ",".join(each["SubnetId"] for each in ec2.describe_subnets()["Subnets"][:2])
        given = {
            "Url": "https://example.org",
            "CertificateArn": self.certificate,
            "MediaHost": "media.example.org",
            "MediaCertificateArn": US_CERTIFICATE,
            "Vpc": vpc,
            "PublicSubnets": subnets,
            "PrivateSubnets": subnets,
            "Image": "/townsquare/image",
            "StoreUrl": "cassandra://10.0.1.1,10.0.1.2,10.0.1.3/townsquare",
            "QueueUrl": "kafkas://b-1.example.org:9094,b-2.example.org:9094",
            "CacheUrl": "redis://10.0.2.1",
            "WebLeast": "3",
            "StreamIdleSeconds": "300",
        }
        parameters = [{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()]
        cloud_formation.create_stack(
            StackName="town",
            TemplateBody=json.dumps(_for_moto()),
            Parameters=parameters,
            Capabilities=["CAPABILITY_IAM"],
        )
        assert cloud_formation.describe_stacks(StackName="town")["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"
        made = cloud_formation.describe_stack_resources(StackName="town")["StackResources"]
        self.resources = {
            each["LogicalResourceId"]: each["PhysicalResourceId"] for each in made if "LogicalResourceId" in each
        }  # the others are those whose condition does not hold
        self._finish(_template()["Resources"])

    def _finish(self, template: dict[str, Any]) -> None:
        """Do what moto's CloudFormation passes over."""
        balancers, s3, bucket = self.client("elbv2"), self.client("s3"), self.resources["Media"]
        attributes = template["Balancer"]["Properties"]["LoadBalancerAttributes"]
        [idle] = [each for each in attributes if each["Key"].startswith("idle_timeout")]
        assert idle["Value"] == {"Ref": "StreamIdleSeconds"}
        balancers.modify_load_balancer_attributes(
            LoadBalancerArn=self.resources["Balancer"],
            Attributes=[{**each, "Value": "300"} if each is idle else each for each in attributes],
        )
        balancers.modify_target_group_attributes(
            TargetGroupArn=self.resources["Web"], Attributes=template["Web"]["Properties"]["TargetGroupAttributes"]
        )
        s3.put_public_access_block(
            Bucket=bucket,
            PublicAccessBlockConfiguration={
                name: value in (True, "true")
                for name, value in template["Media"]["Properties"]["PublicAccessBlockConfiguration"].items()
            },
        )


def _template() -> dict[str, Any]:
    from cfnlint.decode import cfn_yaml

    template: dict[str, Any] = json.loads(json.dumps(cfn_yaml.load(str(TEMPLATE)), default=str))
    return template


def _for_moto() -> dict[str, Any]:
    """Without what it does not know: what refers to that gets a word in its place."""
    template = _template()
    for name, resource in list(template["Resources"].items()):
        if resource["Type"].startswith(LEFT_OUT):
            del template["Resources"][name]
            template["Parameters"][name] = {"Type": "String", "Default": f"{name}-elsewhere"}
    del template["Outputs"]["MediaName"]
    machine = template["Resources"]["Machine"]["Properties"]["LaunchTemplateData"]
    words = machine["UserData"]["Fn::Base64"]["Fn::Sub"][1]
    words["Cache"] = words["Cache"]["Fn::If"][2]
    return template


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """One stack for all that is read back."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        made = Cloud(f"http://{host}:{port}")
        made.make_stack()
        yield made
    finally:
        server.stop()


def test_the_template_is_clean() -> None:
    """cfn-lint knows each property of each resource, also of those that moto does not."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from cfnlint.runner import main; main()",
            "--regions",
            "eu-central-1",
            "us-east-1",
            "--",
            str(TEMPLATE),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_listeners_redirect_and_forward(cloud: Cloud) -> None:
    """Plain HTTP is sent on to TLS, that to the web machines; what is the operator's is not found."""
    balancers = cloud.client("elbv2")
    [balancer] = balancers.describe_load_balancers()["LoadBalancers"]
    assert balancer["Scheme"] == "internet-facing"
    assert balancer["Type"] == "application"
    listeners = {
        each["Port"]: each
        for each in balancers.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    }
    assert set(listeners) == {80, 443}
    [redirect] = listeners[80]["DefaultActions"]
    assert redirect["RedirectConfig"]["Protocol"] == "HTTPS"
    assert redirect["RedirectConfig"]["StatusCode"] == "HTTP_301"
    [forward] = listeners[443]["DefaultActions"]
    assert forward["TargetGroupArn"] == cloud.resources["Web"]
    assert listeners[443]["Certificates"] == [{"CertificateArn": cloud.certificate}]
    assert "TLS13" in listeners[443]["SslPolicy"]
    rules = balancers.describe_rules(ListenerArn=listeners[443]["ListenerArn"])["Rules"]
    [hidden] = [rule for rule in rules if not rule["IsDefault"]]
    assert "/metrics" in json.dumps(hidden["Conditions"])
    assert hidden["Actions"][0]["FixedResponseConfig"]["StatusCode"] == "404"


def test_health_and_drain_fit_the_program(cloud: Cloud) -> None:
    """Asked where we answer; a machine that leaves has time for its drain; streams may be quiet between heartbeats."""
    balancers = cloud.client("elbv2")
    [web] = balancers.describe_target_groups()["TargetGroups"]
    assert web["HealthCheckPath"] == "/health/ready"
    assert web["HealthCheckIntervalSeconds"] * web["UnhealthyThresholdCount"] <= 12
    assert web["Matcher"] == {"HttpCode": "200"}
    attributes = _attributes(balancers.describe_target_group_attributes(TargetGroupArn=web["TargetGroupArn"]))
    assert float(attributes["deregistration_delay.timeout_seconds"]) > Settings().drain_s
    assert attributes["load_balancing.algorithm.type"] == "least_outstanding_requests"
    assert attributes["stickiness.enabled"] == "false"
    [balancer] = balancers.describe_load_balancers()["LoadBalancers"]
    attributes = _attributes(balancers.describe_load_balancer_attributes(LoadBalancerArn=balancer["LoadBalancerArn"]))
    assert attributes["idle_timeout.timeout_seconds"] == "300"
    assert attributes["routing.http.drop_invalid_header_fields.enabled"] == "true"


def _attributes(answer: dict[str, Any]) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in answer["Attributes"]}


def test_only_the_balancer_reaches_the_machines(cloud: Cloud) -> None:
    """People reach 80 and 443 of the balancer, it 3000 of the machines, and these the engines."""
    groups = cloud.client("ec2").describe_security_groups(
        GroupIds=[cloud.resources[name] for name in ("BalancerGroup", "MachineGroup", "EngineGroup")]
    )["SecurityGroups"]
    open_ports = {
        rule["FromPort"]: [pair["GroupId"] for pair in rule["UserIdGroupPairs"]]
        for group in groups
        for rule in group["IpPermissions"]
    }
    assert open_ports == {
        80: [],
        443: [],
        3000: [cloud.resources["BalancerGroup"]],
        6379: [cloud.resources["MachineGroup"]],
        9094: [cloud.resources["MachineGroup"]],
    }


def test_machines_come_in_groups(cloud: Cloud) -> None:
    """Web machines behind the balancer and as many as wished; the role in a tag that the machine reads."""
    groups = cloud.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    by_role = {tag["Value"]: each for each in groups for tag in each["Tags"] if tag["Key"] == "townsquare-role"}
    assert set(by_role) == {"web", "workers"}
    web, workers = by_role["web"], by_role["workers"]
    assert (web["MinSize"], web["HealthCheckType"]) == (3, "ELB")
    assert web["TargetGroupARNs"] == [cloud.resources["Web"]]
    assert workers["TargetGroupARNs"] == []
    policies = [each for each in _template()["Resources"].values() if each["Type"].endswith("ScalingPolicy")]
    assert len(policies) == 2
    for number, policy in enumerate(policies):
        properties = {**policy["Properties"], "PolicyName": f"policy-{number}"}
        properties["AutoScalingGroupName"] = cloud.resources[properties["AutoScalingGroupName"]["Ref"]]
        cloud.client("autoscaling").put_scaling_policy(**properties)


def test_machines_are_told_how_to_be(cloud: Cloud) -> None:
    """Metadata by token alone, an encrypted disk; the settings that they start with are ours."""
    [version] = cloud.client("ec2").describe_launch_template_versions(
        LaunchTemplateId=cloud.resources["Machine"], Versions=["$Latest"]
    )["LaunchTemplateVersions"]
    data = version["LaunchTemplateData"]
    assert data["MetadataOptions"]["HttpTokens"] == "required"
    assert data["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True
    script = base64.b64decode(data["UserData"]).decode()
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0
    lines = script.partition("<<'SETTINGS'\n")[2].partition("\nSETTINGS\n")[0].splitlines()
    settings = read_settings({**dict(line.split("=", 1) for line in lines), "TOWNSQUARE_DATA": "/nonexistent"})
    check_engines(settings)
    assert settings.media.startswith(f"s3://{cloud.resources['Media']}?region=eu-central-1&delivery=public")
    [unit_s] = [line.partition("=")[2] for line in script.splitlines() if line.startswith("TimeoutStopSec=")]
    assert float(unit_s) > settings.drain_s + settings.notice_s + 5
    web = cloud.client("elbv2").describe_target_groups()["TargetGroups"][0]
    assert settings.notice_s > web["HealthCheckIntervalSeconds"] * web["UnhealthyThresholdCount"]


def test_files_are_closed_but_for_the_cdn(cloud: Cloud) -> None:
    """Nothing of the bucket is public; its policy lets one distribution read."""
    s3, bucket = cloud.client("s3"), cloud.resources["Media"]
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    assert s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    policy = _template()["Resources"]["MediaPolicy"]["Properties"]["PolicyDocument"]
    policy["Statement"][0]["Resource"] = f"arn:aws:s3:::{bucket}/*"
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    [statement] = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    assert statement["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    assert statement["Action"] == "s3:GetObject"
    assert "distribution/" in json.dumps(statement["Condition"]["StringEquals"])


def test_machines_may_do_no_more_than_they_must(cloud: Cloud) -> None:
    """Files of one bucket, one distribution's purge; nowhere all of anything."""
    names = cloud.client("iam").list_role_policies(RoleName=cloud.resources["MachineRole"])["PolicyNames"]
    policies = _template()["Resources"]["MachineRole"]["Properties"]["Policies"]
    assert [each["PolicyName"] for each in policies] == names
    for policy in policies:
        for statement in policy["PolicyDocument"]["Statement"]:
            assert "*" not in json.dumps(statement["Action"])
            assert (
                "${Media.Arn}" in (where := json.dumps(statement["Resource"])) or "Media" in where or "${Cdn}" in where
            )
