# SPDX-License-Identifier: Apache-2.0
"""Redshift's management API, and the clusters behind it."""
import psycopg2
import pytest
from botocore.exceptions import ClientError

PASSWORD = "Secret-Pass-1"


@pytest.fixture
def cluster(tarn, unique):
    redshift = tarn.client("redshift")
    name = unique("cluster")
    redshift.create_cluster(
        ClusterIdentifier=name, NodeType="ra3.large", ClusterType="single-node", DBName="sales",
        MasterUsername="owner", MasterUserPassword=PASSWORD,
        Tags=[{"Key": "team", "Value": "data"}])
    yield name
    try:
        redshift.delete_cluster(ClusterIdentifier=name, SkipFinalClusterSnapshot=True)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ClusterNotFound"


def describe(tarn, name):
    return tarn.client("redshift").describe_clusters(ClusterIdentifier=name)["Clusters"][0]


def connect(tarn, name, user="owner", password=PASSWORD, database="sales"):
    endpoint = describe(tarn, name)["Endpoint"]
    return psycopg2.connect(host=endpoint["Address"], port=endpoint["Port"], user=user,
                            password=password, dbname=database, connect_timeout=10)


def value(connection, sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def test_a_cluster_listens_where_its_endpoint_says(tarn, cluster):
    shown = describe(tarn, cluster)
    assert (shown["ClusterStatus"], shown["DBName"], shown["MasterUsername"]) == (
        "available", "sales", "owner")
    assert shown["Tags"] == [{"Key": "team", "Value": "data"}]
    connection = connect(tarn, cluster)
    assert value(connection, "select current_database()") == "sales"
    connection.close()


def test_two_clusters_do_not_share_tables(tarn, cluster, unique):
    other = unique("other")
    redshift = tarn.client("redshift")
    redshift.create_cluster(ClusterIdentifier=other, NodeType="ra3.large",
                            ClusterType="single-node", DBName="sales", MasterUsername="owner",
                            MasterUserPassword=PASSWORD)
    first, second = connect(tarn, cluster), connect(tarn, other)
    first.autocommit = second.autocommit = True
    with first.cursor() as cursor:
        cursor.execute("create table only_here (a int)")
    with second.cursor() as cursor, pytest.raises(psycopg2.Error) as caught:
        cursor.execute("select * from only_here")
    assert caught.value.pgcode == "42P01"
    first.close()
    second.close()
    redshift.delete_cluster(ClusterIdentifier=other, SkipFinalClusterSnapshot=True)


def test_a_wrong_password_is_refused(tarn, cluster):
    with pytest.raises(psycopg2.OperationalError) as caught:
        connect(tarn, cluster, password="Wrong-Pass-1")
    assert "password authentication failed" in str(caught.value)


def test_temporary_credentials_log_in(tarn, cluster):
    made = tarn.client("redshift").get_cluster_credentials(
        ClusterIdentifier=cluster, DbUser="reader", AutoCreate=True)
    assert made["DbUser"] == "IAMA:reader"
    connection = connect(tarn, cluster, made["DbUser"], made["DbPassword"])
    assert value(connection, "select 1") == 1
    connection.close()


def test_modify_changes_the_password(tarn, cluster):
    redshift = tarn.client("redshift")
    redshift.modify_cluster(ClusterIdentifier=cluster, MasterUserPassword="Another-Pass-2")
    connect(tarn, cluster, password="Another-Pass-2").close()
    with pytest.raises(psycopg2.OperationalError):
        connect(tarn, cluster)
    port = describe(tarn, cluster)["Endpoint"]["Port"]
    for _ in range(5):
        assert redshift.reboot_cluster(ClusterIdentifier=cluster)["Cluster"]["ClusterStatus"] == \
            "rebooting"
        connect(tarn, cluster, password="Another-Pass-2").close()
        assert describe(tarn, cluster)["Endpoint"]["Port"] == port


def test_roles_and_tags_are_kept(tarn, cluster):
    redshift = tarn.client("redshift")
    role = "arn:aws:iam::000000000000:role/copy"
    redshift.modify_cluster_iam_roles(ClusterIdentifier=cluster, AddIamRoles=[role])
    assert [r["IamRoleArn"] for r in describe(tarn, cluster)["IamRoles"]] == [role]
    redshift.modify_cluster_iam_roles(ClusterIdentifier=cluster, RemoveIamRoles=[role])
    assert describe(tarn, cluster)["IamRoles"] == []
    arn = f"arn:aws:redshift:{tarn.region}:000000000000:cluster:{cluster}"
    redshift.create_tags(ResourceName=arn, Tags=[{"Key": "stage", "Value": "dev"}])
    redshift.delete_tags(ResourceName=arn, TagKeys=["team"])
    tagged = redshift.describe_tags(ResourceName=arn)["TaggedResources"]
    assert [t["Tag"] for t in tagged] == [{"Key": "stage", "Value": "dev"}]


def test_errors_are_redshifts(tarn, cluster):
    redshift = tarn.client("redshift")

    def code(call, **arguments):
        with pytest.raises(ClientError) as caught:
            call(**arguments)
        return caught.value.response["Error"]["Code"]

    assert code(redshift.describe_clusters, ClusterIdentifier="none") == "ClusterNotFound"
    assert code(redshift.delete_cluster, ClusterIdentifier=cluster) == "InvalidParameterCombination"
    base = {"NodeType": "ra3.large", "MasterUsername": "owner", "ClusterType": "single-node"}
    assert code(redshift.create_cluster, ClusterIdentifier=cluster, MasterUserPassword=PASSWORD,
                **base) == "ClusterAlreadyExists"
    assert code(redshift.create_cluster, ClusterIdentifier="x", MasterUserPassword="weak",
                **base) == "InvalidParameterValue"
    assert code(redshift.create_cluster, ClusterIdentifier="-x", MasterUserPassword=PASSWORD,
                **base) == "InvalidParameterValue"


def test_clusters_survive_kill_9_with_port_and_rows(fresh_tarn):
    redshift = fresh_tarn.client("redshift")
    redshift.create_cluster(ClusterIdentifier="kept", NodeType="ra3.large",
                            ClusterType="single-node", DBName="sales", MasterUsername="owner",
                            MasterUserPassword=PASSWORD)
    port = describe(fresh_tarn, "kept")["Endpoint"]["Port"]
    connection = connect(fresh_tarn, "kept")
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("create table t (a int)")
        cursor.execute("insert into t values (1), (2)")
    fresh_tarn.restart(kill=True)
    assert describe(fresh_tarn, "kept")["Endpoint"]["Port"] == port
    connection = connect(fresh_tarn, "kept")
    assert value(connection, "select count(*) from t") == 2
    connection.close()
