using Hearth.Api;

namespace Hearth.Cli.Client;

/// <summary>Sends a file of this machine to the coordinator in parts. What broke off, here or there, goes on where the coordinator has it.</summary>
internal sealed class DatasetUpload(ApiClient api, string path)
{
    /// <param name="resume">An upload that was begun before; null = a new one.</param>
    /// <param name="begun">Is told the upload's id, once.</param>
    /// <param name="sent">Is told bytes that are there and all bytes, after each part.</param>
    /// <param name="stop">Ends it; the upload can be resumed for a day.</param>
    /// <exception cref="CliException">There is no such file, or it is not the one that the upload was begun with.</exception>
    public async Task<UploadView> SendAsync(Guid? resume, Action<UploadView> begun, Action<long, long> sent, CancellationToken stop)
    {
        if (!File.Exists(path))
        {
            throw new CliException(Directory.Exists(path) ? $"{path} is a folder. Pack it, as with tar, or import it where the coordinator runs (datasets import)." : $"There is no file {path}.", ExitCodes.BadInput);
        }

        await using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1, FileOptions.Asynchronous | FileOptions.SequentialScan);
        var upload = resume is { } id
            ? await api.GetAsync<UploadView>($"datasets/uploads/{id}", stop)
            : await api.PostAsync<UploadView>("datasets/uploads", new StartUpload(Path.GetFileName(path), file.Length), stop);
        if (upload.Bytes != file.Length)
        {
            throw new CliException($"{path} has {file.Length} bytes, and the upload {upload.Id} was begun with {upload.Bytes}. Give the same file, or begin anew without --resume.", ExitCodes.BadInput);
        }

        begun(upload);
        byte[] part = new byte[upload.PartBytes];
        while (upload.Offset < file.Length)
        {
            file.Position = upload.Offset;
            int read = await file.ReadAtLeastAsync(part, part.Length, throwOnEndOfStream: false, stop);
            upload = await api.PutAsync<UploadView>($"datasets/uploads/{upload.Id}?offset={upload.Offset}", part.AsMemory(0, read), stop);
            sent(upload.Offset, file.Length);
        }

        return upload;
    }
}
