using System.Net;
using Hearth.Coordinator.Cluster;
using Microsoft.Extensions.Configuration;
using Xunit;

namespace Hearth.Tests.Cluster;

public sealed class SettingsOfACluster
{
    [Fact]
    public void Nothing_set_is_a_coordinator_alone_on_loopback()
    {
        var settings = Read();

        Assert.Null(settings.Name);
        Assert.Null(settings.Certificates);
        Assert.False(settings.Dashboard);
        Assert.True(IPAddress.IsLoopback(settings.Address.Address));
        Assert.NotEqual(0, settings.Address.Port);
    }

    [Fact]
    public void A_second_pool_of_a_machine_gets_a_port_of_its_own()
    {
        var usual = new System.Net.Sockets.TcpListener(IPAddress.Loopback, ClusterSettings.DefaultPort);
        try
        {
            usual.Start();
        }
        catch (System.Net.Sockets.SocketException)
        {
            // Something of this machine has it already.
        }

        Assert.NotEqual(ClusterSettings.DefaultPort, Read().Address.Port);
        usual.Dispose();
    }

    [Fact]
    public void Several_on_one_machine_need_a_name_and_a_port_each()
    {
        var settings = Read(("HEARTH_CLUSTER", "home"), ("HEARTH_CLUSTER_ADDRESS", "127.0.0.1:9001"), ("HEARTH_CLUSTER_DASHBOARD", "on"));

        Assert.Equal(("home", "127.0.0.1:9001", true), (settings.Name, settings.Address.ToString(), settings.Dashboard));
    }

    [Theory]
    [InlineData("HEARTH_CLUSTER", "My pool", "HEARTH_CLUSTER is My pool. Allowed: 1 to 64 lower-case letters, digits and hyphens.")]
    [InlineData("HEARTH_CLUSTER_ADDRESS", "", "HEARTH_CLUSTER_ADDRESS is missing, and HEARTH_CLUSTER is home. Allowed: IP:PORT at which the other coordinators reach this one.")]
    [InlineData("HEARTH_CLUSTER_ADDRESS", "0.0.0.0:9001", "HEARTH_CLUSTER_ADDRESS is 0.0.0.0:9001. Allowed: IP:PORT at which the other coordinators reach this one, such as 192.168.1.10:7771.")]
    [InlineData("HEARTH_CLUSTER_ADDRESS", "127.0.0.1", "HEARTH_CLUSTER_ADDRESS is 127.0.0.1. Allowed: IP:PORT at which the other coordinators reach this one, such as 192.168.1.10:7771.")]
    [InlineData("HEARTH_CLUSTER_ADDRESS", "192.168.1.10:9001", "HEARTH_CLUSTER_ADDRESS is 192.168.1.10:9001, which other machines reach, and whoever reaches a silo without TLS commands the pool. "
        + "Give HEARTH_CLUSTER_AUTHORITY, HEARTH_CLUSTER_CERTIFICATE and HEARTH_CLUSTER_KEY (./hearth cluster certificate makes the files), or an address of 127.0.0.0/8.")]
    [InlineData("HEARTH_CLUSTER_KEY", "/no/such.key", "HEARTH_CLUSTER_AUTHORITY is missing. Allowed: a PEM file, and the other two of its kind beside it; ./hearth cluster certificate makes the files.")]
    [InlineData("HEARTH_CLUSTER_DASHBOARD", "yes", "HEARTH_CLUSTER_DASHBOARD is yes. Allowed: on, off.")]
    public void A_wrong_setting_is_refused_with_what_is_allowed(string name, string value, string message)
    {
        var e = Assert.Throws<InvalidOperationException>(() => Read(("HEARTH_CLUSTER", "home"), ("HEARTH_CLUSTER_ADDRESS", "127.0.0.1:9001"), (name, value)));

        Assert.Equal(message, e.Message);
    }

    [Fact]
    public void A_coordinator_that_is_alone_listens_on_loopback()
    {
        var e = Assert.Throws<InvalidOperationException>(() => Read(("HEARTH_CLUSTER_ADDRESS", "192.168.1.10:9001")));

        Assert.Equal("HEARTH_CLUSTER_ADDRESS is 192.168.1.10:9001, and HEARTH_CLUSTER is missing: a coordinator that is alone listens on loopback. Give the cluster's name, or leave both out.", e.Message);
    }

    private static ClusterSettings Read(params (string Name, string Value)[] settings)
    {
        var all = new Dictionary<string, string?>();
        foreach (var (name, value) in settings)
        {
            all[name] = value;
        }

        return ClusterSettings.Read(new ConfigurationBuilder().AddInMemoryCollection(all).Build());
    }
}
