using System.Security.Claims;

namespace Hearth.Coordinator.Access;

/// <summary>Roles of tokens. Each of the first three may do what the later ones may; a worker may use the worker API alone.</summary>
public static class Roles
{
    public const string Admin = "admin";
    public const string Submit = "submit";
    public const string View = "view";
    public const string Worker = "worker";
}

/// <summary>Who sent a request, out of its authenticated principal.</summary>
public static class Caller
{
    /// <summary>The token's or the worker's name.</summary>
    public static string CallerName(this ClaimsPrincipal caller) => caller.FindFirstValue(ClaimTypes.Name) ?? throw Anonymous();

    public static string Role(this ClaimsPrincipal caller) => caller.FindFirstValue(ClaimTypes.Role) ?? throw Anonymous();

    /// <summary>The calling worker; only behind the worker policy.</summary>
    public static Guid WorkerId(this ClaimsPrincipal caller) =>
        caller.Role() == Roles.Worker ? caller.CallerId() : throw new InvalidOperationException($"{caller.CallerName()} is no worker");

    /// <summary>Id of the token, or of the worker.</summary>
    internal static Guid CallerId(this ClaimsPrincipal caller) => Guid.Parse(caller.FindFirstValue(ClaimTypes.NameIdentifier) ?? throw Anonymous());

    internal static ClaimsPrincipal Principal(Guid id, string name, string role, string scheme) => new(new ClaimsIdentity(
        [new Claim(ClaimTypes.NameIdentifier, id.ToString()), new Claim(ClaimTypes.Name, name), new Claim(ClaimTypes.Role, role)],
        scheme));

    // Routes are reached through a policy, so this is a mistake in the route table.
    private static InvalidOperationException Anonymous() => new("the route lets anonymous callers in and asks who they are");
}
