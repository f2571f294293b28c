using System.Net;

namespace Hearth.Agent;

/// <summary>A request that did not succeed. <see cref="Status"/> is null when no answer came at all.</summary>
public class TransferException(HttpStatusCode? status, string message, Exception? inner = null) : Exception(message, inner)
{
    public HttpStatusCode? Status { get; } = status;

    /// <summary>Nobody there who could say no: it is waited for as long as it takes.</summary>
    public virtual bool IsOutage => Status is null or HttpStatusCode.ServiceUnavailable;

    /// <summary>What was sent is refused for what it says: another try would be refused too.</summary>
    public bool IsFinal => (int?)Status is >= 400 and < 500 && !IsTransient && !IsOutage && Status is not (HttpStatusCode.Conflict or HttpStatusCode.Gone);

    /// <summary>The other side failed over what was sent. Repeated often enough, the fault is in that.</summary>
    public bool IsFault => Status is HttpStatusCode.InternalServerError;

    /// <summary>No room on the other side's disk.</summary>
    public bool IsFull => Status is HttpStatusCode.InsufficientStorage;

    /// <summary>No answer, or one that another try may change.</summary>
    public bool IsTransient => Status is null or HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests || (int)Status >= 500;
}

/// <summary>A refused or failed call of the coordinator's worker API.</summary>
public sealed class CoordinatorException(HttpStatusCode? status, string message, Exception? inner = null)
    : TransferException(status, message, inner)
{
    /// <summary>The attempt's epoch is over: it must stop itself and send nothing more. Of a sync: the agent's session is.</summary>
    public bool IsFenced => Status is HttpStatusCode.Conflict or HttpStatusCode.Gone;

    /// <summary>The worker was removed from its pool, which says so itself.</summary>
    public bool IsRemoved => Status is HttpStatusCode.Gone;

    /// <summary>
    /// No answer of a coordinator that works: a proxy's, a login page's, another version's, or one over a wrong or restored database. None of these is a
    /// reason to stop training.
    /// </summary>
    public override bool IsOutage => base.IsOutage || IsRefusal || Status is HttpStatusCode.BadGateway or HttpStatusCode.GatewayTimeout || (int)Status! is >= 300 and < 400;

    /// <summary>Somebody must do something before the next try can succeed.</summary>
    public bool IsRefusal => Status is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden or HttpStatusCode.ProxyAuthenticationRequired or HttpStatusCode.UpgradeRequired;
}

/// <summary>A blob whose bytes are not what its name promises, or that the store no longer has.</summary>
public sealed class CorruptBlobException(string name, string reason) : Exception($"{name}: {reason}");
