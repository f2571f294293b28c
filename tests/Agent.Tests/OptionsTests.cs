using Xunit;

namespace Hearth.Agent.Tests;

public sealed class OptionsTests
{
    [Fact]
    public void The_command_line_goes_before_the_environment()
    {
        var options = AgentOptions.Parse(
            ["--threads", "3", "--home", "/h"],
            name => name switch { "HEARTH_THREADS" => "7", "HEARTH_COORDINATOR" => "http://nas:7770", "HEARTH_JOIN_CODE" => "abc", _ => null });

        Assert.Equal((3, "/h", "http://nas:7770/", "abc"), (options.Threads, options.HomePath, options.Coordinator!.ToString(), options.JoinCode));
        Assert.Equal(1, AgentOptions.Parse([], _ => null).Threads);
    }

    [Theory]
    [InlineData("--thread", "2", "No option is called '--thread'.")]
    [InlineData("--threads", "0", "--threads is '0'. Allowed: a number from 1 to 1024.")]
    [InlineData("--threads", "two", "--threads is 'two'.")]
    [InlineData("--coordinator", "nas", "--coordinator is 'nas'. Allowed: http://HOST:PORT or https://HOST:PORT.")]
    [InlineData("--coordinator", "ftp://nas", "--coordinator is 'ftp://nas'.")]
    [InlineData("--name", "a/b", "--name is 'a/b'. Allowed: 1 to 64 characters, without '/' and ','.")]
    [InlineData("--probe", "gpu", "--probe is 'gpu'. Allowed: auto, cpu, simulated:FILE.")]
    [InlineData("--devices", "0,x", "--devices is 'x'.")]
    public void A_wrong_option_is_named_with_its_value_and_what_is_allowed(string option, string value, string message) =>
        Assert.Contains(message, Assert.Throws<UsageException>(() => AgentOptions.Parse([option, value], _ => null)).Message, StringComparison.Ordinal);

    [Fact]
    public void An_option_without_a_value_is_refused() =>
        Assert.Equal("--home needs a value.", Assert.Throws<UsageException>(() => AgentOptions.Parse(["--home"], _ => null)).Message);
}
