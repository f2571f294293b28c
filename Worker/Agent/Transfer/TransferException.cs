using System.Net;

namespace Hearth.Agent;

/// <summary>A request that did not succeed. <see cref="Status"/> is null when no answer came at all.</summary>
public class TransferException(HttpStatusCode? status, string message, Exception? inner = null) : Exception(message, inner)
{
    public HttpStatusCode? Status { get; } = status;

    /// <summary>Nobody there who could say no: it is waited for as long as it takes.</summary>
    public bool IsOutage => Status is null or HttpStatusCode.ServiceUnavailable;

    /// <summary>No answer, or one that another try may change.</summary>
    public bool IsTransient => Status is null or HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests || (int)Status >= 500;
}

/// <summary>A refused or failed call of the coordinator's worker API.</summary>
public sealed class CoordinatorException(HttpStatusCode? status, string message, Exception? inner = null)
    : TransferException(status, message, inner)
{
    /// <summary>The attempt's epoch is over: it must stop itself and send nothing more.</summary>
    public bool IsFenced => Status is HttpStatusCode.Conflict or HttpStatusCode.Gone;

    public bool IsUnauthorized => Status is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden;
}

/// <summary>A blob whose bytes are not what its name promises, or that the store no longer has.</summary>
public sealed class CorruptBlobException(string name, string reason) : Exception($"{name}: {reason}");
