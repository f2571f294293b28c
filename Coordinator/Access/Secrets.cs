using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Hearth.Coordinator.Access;

/// <summary>Makes secrets and the form in which they are stored. Tokens have 256 random bits, so an unsalted hash is enough.</summary>
public static class Secrets
{
    // Without letters and digits that look alike: the code is read from one screen and typed at another.
    private const string CodeLetters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

    /// <summary><c>hth_</c> and 43 characters of base64url.</summary>
    public static string NewToken() => "hth_" + Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));

    /// <summary>Twelve letters in three groups (60 bits), for a quarter of an hour.</summary>
    public static string NewJoinCode()
    {
        string letters = RandomNumberGenerator.GetString(CodeLetters, 12);
        return $"{letters[..4]}-{letters[4..8]}-{letters[8..]}";
    }

    public static byte[] Hash(string secret) => SHA256.HashData(Encoding.UTF8.GetBytes(secret));
}
